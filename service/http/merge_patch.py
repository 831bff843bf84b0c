"""JSON merge patches (RFC 7396): the body that holds one, and what it makes of a value."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from service.errors import UnsupportedTypeError
from service.http.dependencies import CallerDependency
from service.http.json_body import MAX_BODY_BYTES, JsonBody, M
from service.http.responses import JSON

MERGE_PATCH = "application/merge-patch+json"


class MergePatchBody(JsonBody[M]):
    """Reads a merge patch into `model`, whose fields are the members that it may name."""

    media_types = (MERGE_PATCH, JSON)

    def __init__(self, model: type[M]) -> None:
        super().__init__(model, MAX_BODY_BYTES)

    async def __call__(self, request: Request, caller: CallerDependency) -> M:
        """Return the patch; raises as `read_body` does, and UnsupportedTypeError for a body of another type."""
        # A body whose type is not said is taken for a patch.
        sent = [line.partition(";")[0].strip().lower() for line in request.headers.getlist("Content-Type")]
        if any(media_type not in self.media_types for media_type in sent):
            raise UnsupportedTypeError(self.media_types)
        return await super().__call__(request, caller)


def merged(target: Any, patch: Any) -> Any:
    """Return `target` as `patch` changes it: null removes a member, an object is merged, anything else replaces.

    Members that stay keep their places, and new ones follow. The patch must not be nested deeply.
    """
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
