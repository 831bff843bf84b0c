"""Writer of the format `parquet`: one row for each model, in typed columns; needs the extra `analytics`."""

import io
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from documents.derived_keys import tag_names
from documents.freeform import json_bytes
from service.clock import MAX_SECONDS, MIN_SECONDS
from service.errors import ConfigurationError
from service.exporting.content import ExportedContent, ExportedModel
from service.exporting.csv import without_images

MISSING = "Parquet needs the extra analytics: pip install 'modeldeck[analytics]'"
GROUP_ROWS, GROUP_CHARACTERS = 10_000, 16_000_000
GRANT = ("principal_type", "principal_id", "permission")


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

    Embedded images are left out. Raises ConfigurationError without the extra `analytics`.
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
    text, moment = arrow.string(), arrow.timestamp("ms", tz="UTC")
    grants = arrow.list_(arrow.struct([(name, text) for name in GRANT]))
    return arrow.schema(
        [
            arrow.field("id", text, nullable=False),
            *((name, text) for name in ("name", "user_id", "owner_name", "owner_email", "base_model_id")),
            ("is_active", arrow.bool_()),
            ("description", text),
            ("tags", arrow.list_(text)),
            ("capabilities", arrow.list_(text)),
            ("params", text),
            ("meta", text),
            ("access_grants", grants),
            ("version", arrow.int64()),
            ("created_at", moment),
            ("updated_at", moment),
        ]
    )


def _row(exported: ExportedModel) -> dict[str, Any]:
    model, meta, owner = exported.model, exported.model["meta"], exported.owner or {}
    return {
        "id": model["id"],
        **{name: _text(model[name]) for name in ("name", "user_id", "base_model_id")},
        "owner_name": _text(owner.get("name")),
        "owner_email": _text(owner.get("email")),
        "is_active": model["is_active"] is True,
        "description": _text(meta.get("description")),
        "tags": tag_names(meta),
        "capabilities": _capabilities(meta),
        "params": json_bytes(model["params"]).decode() if "params" in model else None,
        "meta": json_bytes(without_images(meta)).decode(),
        "access_grants": [{name: grant[name] for name in GRANT} for grant in model["access_grants"]],
        "version": model["version"],
        "created_at": _moment(model["created_at"]),
        "updated_at": _moment(model["updated_at"]),
    }


def _text(value: Any) -> str | None:
    # `meta` is free-form, and records that were written past the service can have any value anywhere.
    return value if value is None or isinstance(value, str) else json_bytes(value).decode()


def _capabilities(meta: Mapping[str, Any]) -> list[str]:
    held = meta.get("capabilities")
    return [name for name, has in held.items() if has is True] if isinstance(held, Mapping) else []


def _moment(seconds: int) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if MIN_SECONDS <= seconds <= MAX_SECONDS else None
