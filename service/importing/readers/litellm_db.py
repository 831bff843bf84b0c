"""Reader of the format `litellm-db`: the models that a LiteLLM proxy keeps in PostgreSQL, but for what is encrypted."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from documents.freeform import free_form_problem
from service.importing.json_scanner import DECODER
from service.importing.readers.litellm_entry import model_of
from service.importing.readers.litellm_lists import INFO, NAME, PARAMS
from service.importing.readers.openwebui_models import excerpt
from service.importing.readers.postgres_tables import PostgresTables
from service.importing.readers.redact import safe_name, without_secrets
from service.importing.readers.tables import Row, Table, Tables, read
from service.importing.records import MAX_RECORD_VALUES, has_more_values
from service.importing.source import MAX_VALUE_CHARACTERS, Item, SourceError

TABLE = Table(
    "LiteLLM_ProxyModelTable",
    ("model_id", "model_name", "litellm_params"),
    ("model_info", "created_at", "updated_at", "blocked"),
)
_BASE = "base_model"
# A nonce of 24 bytes, a code of 16 and the text itself, in base64 of either alphabet.
_ENCRYPTED = re.compile(r"[A-Za-z0-9+/_-]{54,}={0,2}")
_WHERE_SHOWN = "GET /model/info of the proxy shows those that are no secrets"


@contextmanager
def read_litellm_db(url: str) -> Iterator[Callable[[], Iterator[Item]]]:
    """Open the PostgreSQL database of a proxy as it is at one moment.

    Each call of the function that it yields reads all its models. Nothing is written to the database. Raises
    SourceError when it is no such database or can't be read, and ConfigurationError without the extra that PostgreSQL
    needs.

    A model has the id that the proxy's answers give it. Text of `litellm_params` is encrypted there, the name of the
    model too, so it stays behind, with a note.
    """
    with closing(PostgresTables(url)) as tables:
        if not tables.present(TABLE):
            raise SourceError(f"{tables.name}: has no table {TABLE.name}, so it is not the database of LiteLLM")
        yield lambda: _items(tables)


def _items(tables: Tables) -> Iterator[Item]:
    unread = sorted(tables.present(TABLE) - {*TABLE.required, *TABLE.optional})
    notes = (f"columns left out: {', '.join(name[:100] for name in unread)}",) if unread else ()
    for row in read(tables, TABLE, "model_id"):
        position = f"row {excerpt(row['model_id'])} of {TABLE.name}"
        yield _item(row, position, notes)
        notes = ()


class _MalformedError(Exception):
    """A column has a value that can't be read; the message says which and why."""


def _item(row: Row, position: str, notes: tuple[str, ...]) -> Item:
    shown = {"id": row["model_id"]}
    try:
        params, info = _object(row, PARAMS), _object(row, INFO)
    except _MalformedError as error:
        return Item("model", position, shown, str(error), notes)
    encrypted = [name for name, held in params.items() if isinstance(held, str) and _ENCRYPTED.fullmatch(held)]
    readable = {name: held for name, held in params.items() if name not in encrypted}
    # Empty where nothing says which model it is.
    readable.setdefault("model", info[_BASE] if isinstance(info.get(_BASE), str) else "")
    entry = {NAME: row["model_name"], PARAMS: readable, INFO: {**info, "id": row["model_id"]}}
    kept, secrets = without_secrets(entry)
    notes += secrets
    if encrypted:
        names = ", ".join(map(safe_name, encrypted))
        notes += (f"{PARAMS}: encrypted, so left out: {names}; {_WHERE_SHOWN}",)
    model = free_form_problem(kept) or model_of(kept, entry)
    if isinstance(model, str):
        return Item("model", position, shown, model, notes)
    value = {"id": model.given_id or model.numbered_id(0), **model.value, **_times(row)}
    value["base_model_id"] = value["base_model_id"] or None
    if row.get("blocked") is True:
        value["is_active"] = False
    return Item("model", position, value, None, (*notes, *model.notes), model.kept_out, model.group_names)


def _object(row: Row, column: str) -> dict[str, Any]:
    """Return the object of a JSON column; null, or no such column, counts as an object of nothing."""
    if row.get(column) is None:
        return {}
    try:
        # Some versions wrote the JSON as text into the JSON.
        value = _loaded(_loaded(row[column]))
    except RecursionError:
        raise _MalformedError(f"column {column}: nested too deeply") from None
    except ValueError:
        raise _MalformedError(f"column {column}: not valid JSON, or too long") from None
    if not isinstance(value, dict):
        raise _MalformedError(f"column {column}: must be a JSON object")
    if has_more_values(value, MAX_RECORD_VALUES):
        raise _MalformedError(f"column {column}: has more than {MAX_RECORD_VALUES:,} values")
    return value


def _loaded(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    if len(text) > MAX_VALUE_CHARACTERS:
        raise ValueError
    return DECODER.decode(text)


def _times(row: Row) -> dict[str, int]:
    """Return the times of a row, which are in UTC, as seconds since 1970."""
    times = {name: row.get(name) for name in ("created_at", "updated_at")}
    return {
        name: int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        for name, moment in times.items()
        if isinstance(moment, datetime)
    }
