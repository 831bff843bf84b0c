"""Writer of the format `parquet`: one row for each model, with the columns of the view `models_flat` and their types.

Needs the extra `analytics`.
"""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from documents.freeform import json_bytes
from service.clock import MAX_SECONDS, MIN_SECONDS
from service.errors import ConfigurationError
from service.exporting.content import ExportedContent, ExportedModel
from service.exporting.csv import without_images

MISSING = "Parquet needs the extra analytics: pip install 'modeldeck[analytics]'"
GROUP_ROWS, GROUP_CHARACTERS = 10_000, 16_000_000
GRANT = ("principal_type", "principal_id", "permission")
# Whoever does not see a prompt must not see how long it is.
OF_PROMPTS = ("prompt_length", "params_bytes", "size_bytes")


class _Sink(io.RawIOBase):
    """A file in memory, from which what was written is taken piece by piece."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        size = memoryview(content).nbytes
        self._held += content
        self._position += size
        return size

    def tell(self) -> int:
        return self._position

    def drained(self) -> bytes:
        """Return what was written since the last call."""
        held, self._held = bytes(self._held), bytearray()
        return held


async def write_parquet(content: ExportedContent) -> AsyncIterator[bytes]:
    """Yield a Parquet file: times as timestamps, tags and grants as lists, `params` and `meta` as JSON.

    The columns are named as those of the view `models_flat`, with the same values. Embedded images are left out.
    Raises ConfigurationError without the extra `analytics`.
    """
    try:
        # Imported here since only the extra installs them.
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigurationError(MISSING) from None
    sink, schema = _Sink(), _schema(arrow)
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        async for rows in _row_groups(content):
            writer.write_table(arrow.Table.from_pylist(rows, schema))
            yield sink.drained()
    yield sink.drained()


async def _row_groups(content: ExportedContent) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield groups of rows: large, for fast reading, and bounded, since a group is in memory as a whole."""
    rows: list[dict[str, Any]] = []
    characters = 0
    async for batch in content.models:
        for exported in batch:
            rows.append(_row(exported))
            characters += len(rows[-1]["params"] or "") + len(rows[-1]["meta"])
        if len(rows) >= GROUP_ROWS or characters >= GROUP_CHARACTERS:
            yield rows
            rows, characters = [], 0
    if rows:
        yield rows


def _schema(arrow: Any) -> Any:
    text, moment, size, texts = (
        arrow.string(),
        arrow.timestamp("ms", tz="UTC"),
        arrow.int32(),
        arrow.list_(arrow.string()),
    )
    grants = arrow.list_(arrow.struct([(name, text) for name in GRANT]))
    return arrow.schema(
        [
            arrow.field("_id", text, nullable=False),
            *((name, text) for name in ("name", "sort_name", "owner_id", "owner_name", "owner_email")),
            ("owner_is_active", arrow.bool_()),
            *((name, text) for name in ("base_model_id", "description")),
            *((name, texts) for name in ("tags", "folded_tags", "capabilities")),
            ("is_active", arrow.bool_()),
            ("version", arrow.int64()),
            ("created_at", moment),
            ("updated_at", moment),
            *((name, size) for name in ("grants", "read_grants", "write_grants")),
            ("is_public", arrow.bool_()),
            *((name, size) for name in ("prompt_length", "params_bytes", "meta_bytes", "size_bytes")),
            ("profile_image_url", text),
            ("has_image", arrow.bool_()),
            ("image_bytes", size),
            ("params", text),
            ("meta", text),
            ("access_grants", grants),
        ]
    )


def _row(exported: ExportedModel) -> dict[str, Any]:
    model, owner = exported.model, exported.owner or {}
    is_hidden = "params" not in model
    return {
        **exported.columns,
        **(dict.fromkeys(OF_PROMPTS) if is_hidden else {}),
        "_id": model["id"],
        "name": _text(model["name"]),
        "owner_id": _text(model["user_id"]),
        "owner_name": _text(owner.get("name")),
        "owner_email": _text(owner.get("email")),
        "base_model_id": _text(model["base_model_id"]),
        "is_active": model["is_active"] is True,
        "version": model["version"] if isinstance(model["version"], int) else None,
        "created_at": _moment(model["created_at"]),
        "updated_at": _moment(model["updated_at"]),
        "params": None if is_hidden else json_bytes(model["params"]).decode(),
        "meta": json_bytes(without_images(model["meta"])).decode(),
        "access_grants": [{name: grant[name] for name in GRANT} for grant in model["access_grants"]],
    }


def _text(value: Any) -> str | None:
    # Records that were written past the service can have any value anywhere.
    return value if value is None or isinstance(value, str) else json_bytes(value).decode()


def _moment(seconds: int) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if MIN_SECONDS <= seconds <= MAX_SECONDS else None
