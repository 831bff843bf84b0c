"""The origin of a model record: the source of an import that keeps it in step, and what that said last."""

from dataclasses import dataclass

from service.clock import now
from service.database.exact_bson import Record
from service.models.fingerprints import Fingerprints
from service.models.store import ORIGIN

MALFORMED_ORIGIN = "was written past the service, with an origin that is none"


@dataclass(frozen=True, slots=True)
class KnownOrigin:
    """Where a record came from, and what its source said last; None if that was stored in no form that is known."""

    source: str
    key: str
    said: Fingerprints | None


def origin_of(record: Record) -> KnownOrigin | None:
    """Return where a record came from, None if from no source; raise ValueError for what no import has stored."""
    stored = record.get(ORIGIN)
    if stored is None:
        return None
    held = stored if isinstance(stored, dict) else {}
    texts = [text for name in ("source", "key", "digest") if isinstance(text := held.get(name), str)]
    if len(texts) < 3 or not texts[0]:
        raise ValueError(MALFORMED_ORIGIN)
    source, key, digest = texts
    try:
        return KnownOrigin(source, key, Fingerprints.parse(digest))
    except ValueError:
        return KnownOrigin(source, key, None)


def new_origin(source: str, key: str, said: Fingerprints) -> Record:
    """Return an origin as it is stored."""
    return {"source": source, "key": key, "at": now(), "digest": said.text}
