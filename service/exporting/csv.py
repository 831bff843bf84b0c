"""Writer of the format `csv`: one row for each model, for spreadsheets."""

import csv
import io
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from documents.derived_keys import tag_names
from documents.freeform import json_bytes
from documents.image import EMBEDDED
from service.clock import MAX_SECONDS, MIN_SECONDS
from service.exporting.content import ExportedContent, ExportedModel

COLUMNS = (
    *("id", "name", "user_id", "owner_name", "owner_email", "base_model_id", "is_active", "description"),
    *("tags", "capabilities", "params", "meta", "access_grants", "version", "created_at", "updated_at"),
)
# A spreadsheet evaluates a cell that begins with one of these as a formula, and users choose the names of models.
_SIGNS = "=+\\-@＝＋－＠"
_FORMULA = re.compile(rf"[{_SIGNS}\t\r\n]")
# A spreadsheet that splits at another separator than a comma, or at line breaks in cells, begins a cell after these.
# It may ignore spaces and quotes there.
_INNER_FORMULA = re.compile(rf"([;\t\r\n][ \"]*)(?=[{_SIGNS}])")
BYTE_ORDER_MARK = "\ufeff".encode()
_IN_COLUMNS = ("description", "tags", "capabilities")


async def write_table(content: ExportedContent) -> AsyncIterator[bytes]:
    """Yield a table with a header (RFC 4180, UTF-8): times as ISO 8601, lists and objects as JSON.

    Text that a spreadsheet would evaluate as a formula gets a `'` in front, also where a cell begins for one that
    splits at `;`, tabs or all line breaks. Embedded images are left out.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    async for batch in content.models:
        writer.writerows(_row(exported) for exported in batch)
        yield _drained(text)
    # The header of an export without a batch.
    yield _drained(text)


async def with_byte_order_mark(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the parts of a table after a byte order mark, by which Excel knows that it is UTF-8."""
    mark = BYTE_ORDER_MARK
    async for part in parts:
        yield mark + part
        mark = b""


def _drained(text: io.StringIO) -> bytes:
    written = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return written


def _row(exported: ExportedModel) -> list[Any]:
    model, meta, owner = exported.model, exported.model["meta"], exported.owner or {}
    rest = {name: value for name, value in without_images(meta).items() if name not in _IN_COLUMNS}
    values = {
        **model,
        "owner_name": owner.get("name"),
        "owner_email": owner.get("email"),
        "description": meta.get("description"),
        "tags": tag_names(meta),
        "capabilities": meta.get("capabilities"),
        "meta": rest,
        "created_at": _written(model["created_at"]),
        "updated_at": _written(model["updated_at"]),
    }
    return [_cell(values.get(column)) for column in COLUMNS]


def without_images(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `meta` without embedded images, which are of no use in a table."""
    return {name: value for name, value in meta.items() if not _is_image(value)}


def _is_image(value: Any) -> bool:
    return isinstance(value, str) and value.lower().startswith(EMBEDDED)


def _written(seconds: int) -> str | int:
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        return seconds
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    text = value if isinstance(value, str) else json_bytes(value).decode()
    text = _INNER_FORMULA.sub(r"\1'", text)
    return f"'{text}" if _FORMULA.match(text) else text
