"""`modeldeck watch`: the changes of models as JSON lines, from where the last run stopped."""

import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import typer

from documents import ModelRecord, Revision
from documents.freeform import json_bytes
from service.cli.open_database import with_database
from service.clock import epoch_seconds
from service.database.change_streams import Event, changed_names
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import ConfigurationError
from service.models.item import plain_item

WATCHING = "watching the changes of models; Ctrl-C ends it"
CHANGES = {"insert": "created", "update": "updated", "replace": "updated", "delete": "deleted"}
_MODELS, _REVISIONS = str(ModelRecord.Settings.name), str(Revision.Settings.name)
_STAGES: list[dict[str, Any]] = [
    {"$match": {"$or": [{"ns.coll": _MODELS}, {"ns.coll": _REVISIONS, "operationType": "insert"}]}},
    {"$unset": ["fullDocument.before", "fullDocument.after"]},
]
_TOKEN = re.compile(r"[0-9A-Fa-f]{2,10000}")


def watch(
    after: Annotated[str | None, typer.Option(metavar="TOKEN", help="Begin after the change of this token.")] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Begin where this file says, and keep it up to date.")
    ] = None,
) -> None:
    """Print each change of a model as a line of JSON, with a token to begin again from, until Ctrl-C."""
    if after is not None and state is not None:
        raise typer.BadParameter("--after and --state exclude each other")
    with_database(lambda database: _watch(database, after, state), with_indexes=False)


async def _watch(database: Database, after: str | None, state: Path | None) -> None:
    """Print each change of a model until interrupted.

    It begins after the change whose token is `after`, or where the file `state` says that an earlier run stopped;
    without either, now. `state` always holds the token to continue from. Raises ConfigurationError for a token that
    is malformed, or older than the server's history of changes.
    """
    start = _checked(after if state is None else _read(state))
    announced = False
    async for token, event, by in _changes(database, start):
        if event is not None and not _changes_nothing(event):
            _print(token, event, by)
        if state is not None:
            _write(state, token)
        if not announced:
            # From here on no change is missed, not even by a run that is stopped at once and continues from `state`.
            print(WATCHING, file=sys.stderr, flush=True)
            announced = True


async def _changes(database: Database, start: str | None) -> AsyncIterator[tuple[str, Event | None, str | None]]:
    """Yield each change of a model with its token and who made it, and tokens without a change meanwhile.

    Who made it says the revision, which follows in the same transaction. Past the service there is none.
    """
    held: list[tuple[str, Event]] = []
    authors: dict[str, str | None] = {}
    transaction = None
    async for token, event in database.changes(_STAGES, after=start, with_documents=True):
        current = None if event is None else (event.get("lsid"), event.get("txnNumber"))
        if current != transaction:
            for held_token, held_event in held:
                yield held_token, held_event, authors.get(held_event["documentKey"]["_id"])
            held, authors, transaction = [], {}, current
        if event is None:
            yield token, None, None
        elif event["ns"]["coll"] == _REVISIONS:
            revision = event["fullDocument"]
            authors[revision.get("model_id")] = revision.get("by")
        elif "txnNumber" in event:
            held.append((token, event))
        else:
            yield token, event, None


def _checked(token: str | None) -> str | None:
    if token is not None and not _TOKEN.fullmatch(token):
        raise ConfigurationError("A token is what a line of `modeldeck watch` holds, hexadecimal digits; this is none.")
    return token


def _changes_nothing(event: Event) -> bool:
    """Return whether a record got only what is no part of a model, and no version: derived keys, or an origin."""
    return event["operationType"] == "update" and set(changed_names(event)) <= {"keys", "origin"}


def _print(token: str, event: Event, by: str | None) -> None:
    sys.stdout.buffer.write(json_bytes(_line(token, event, by)) + b"\n")
    sys.stdout.buffer.flush()


def _line(token: str, event: Event, by: str | None) -> Record:
    whole = event.get("fullDocument")
    return {
        "token": token,
        "at": epoch_seconds(event.get("wallTime")),
        "change": CHANGES[event["operationType"]],
        "id": event["documentKey"]["_id"],
        "by": by,
        "fields": [name for name in changed_names(event) if name not in ("keys", "version", "updated_at", "origin")],
        "model": plain_item(whole, with_params=True) if whole else None,
    }


def _read(state: Path) -> str | None:
    try:
        return state.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{state}: can't be read: {error}") from None


def _write(state: Path, token: str) -> None:
    written = state.with_name(f".{state.name}.{os.getpid()}")
    try:
        written.write_text(f"{token}\n", encoding="ascii")
        written.replace(state)
    except OSError as error:
        raise ConfigurationError(f"{state}: can't be written: {error.strerror}") from None
