"""Writer of the format `openwebui`: models as Open WebUI 0.12 exports them, for its own import."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from documents.freeform import json_bytes
from documents.grant import Permission, grant_id
from service.database.exact_bson import Record
from service.exporting.content import ExportedContent
from service.exporting.openwebui_form import accepted_meta, accepted_params

RESOURCE = "model"


async def write_openwebui(content: ExportedContent) -> AsyncIterator[bytes]:
    """Yield a JSON list of models, one on each line; such an export has no users or groups.

    What Open WebUI would refuse is left out, since it would refuse the whole file.
    """
    separator = b"[\n"
    async for batch in content.models:
        yield separator + b",\n".join(json_bytes(_model(exported.model, content.left_out)) for exported in batch)
        separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def _model(model: Record, left_out: Callable[[Any, str], None]) -> dict[str, Any]:
    meta, problems = accepted_meta(model.get("meta"))
    params, more = accepted_params(model.get("params", {}))
    for problem in (*problems, *more):
        left_out(model["id"], problem)
    content = {name: value for name, value in model.items() if name != "version"}
    grants = [
        {
            "id": grant["id"],
            "resource_type": RESOURCE,
            "resource_id": model["id"],
            **{name: grant[name] for name in ("principal_type", "principal_id", "permission")},
            "created_at": model["created_at"],
        }
        for grant in _with_reads(model["id"], model["access_grants"])
    ]
    return {**content, "params": params, "meta": meta, "access_grants": grants}


def _with_reads(model_id: str, grants: Sequence[Record]) -> Iterator[Record]:
    """Yield the grants, each to write with one to read: without it Open WebUI does not list the model for that user."""
    reads = [grant for grant in grants if grant["permission"] == Permission.READ]
    readers = {(grant["principal_type"], grant["principal_id"]) for grant in reads}
    for grant in grants:
        principal = (grant["principal_type"], grant["principal_id"])
        if grant["permission"] == Permission.WRITE and principal not in readers:
            yield {**grant, "id": grant_id(model_id, *principal, Permission.READ), "permission": Permission.READ.value}
        yield grant
