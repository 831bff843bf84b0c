"""What is done with a model of a source, given the record that it belongs to: pure decisions, nothing is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.database.exact_bson import Record, unordered_bytes
from service.errors import TooLargeError
from service.importing.candidate import Candidate
from service.importing.operations import aligned_content, complete_content, differing_fields
from service.importing.plan import Decision, ImportOptions, OnConflict, decide_update
from service.importing.report import ImportOutcome
from service.importing.three_way import merge
from service.models.fingerprints import GRANTS, Fingerprints, grant_path, grant_paths
from service.models.origin import MALFORMED_ORIGIN, KnownOrigin, new_origin, origin_of
from service.models.record import Content, require_storable
from service.models.shape_check import malformed_fields, unknown_fields, well_formed_grants

DELETED_HERE = "was deleted here; --on-conflict update brings it back"
TAKEN_OVER, WAS_ITS_ID = "taken over", "taken over; was imported under this id before"
TAKES_OVER = "--adopt takes it over"
UNKNOWN_DIGEST = "came from this source, but what it said last can't be read"
FORMERLY = "an earlier version imported it as {!r}; --adopt takes that over"
REMEMBERED = "is now remembered as a model of the source"
BOTH_CHANGED = "changed here and in the source"
MALFORMED = "was written past the service, and is malformed"
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Step:
    """A decision on a model, the content that its record shall have, and a new origin, if it gets one."""

    decision: Decision
    content: Content
    origin: Record | None = None


def decide(candidate: Candidate, record: Record | None, options: ImportOptions, *, deleted: bool) -> Step:
    """Decide what becomes of a model; `record` is its own, if it exists.

    `deleted` says that its last record was deleted here.
    """
    if record is None:
        return _new(candidate, options, deleted=deleted)
    if refusal := _refusal(record):
        return _as_it_is(candidate, ImportOutcome.REJECTED, refusal)
    return _of_existing(candidate, record, options)


def _of_existing(candidate: Candidate, record: Record, options: ImportOptions) -> Step:
    origin = origin_of(record)
    content = aligned_content(candidate.given, record)
    if candidate.adopted:
        return _under_its_earlier_id(candidate, content, record, options)
    if origin is not None and (another := _of_another(origin, candidate, options)):
        return _as_it_is(candidate, ImportOutcome.CONFLICT, another)
    if options.source is None:
        return _without_a_name(candidate, content, record, origin, options)
    if origin is None:
        return _from_elsewhere(candidate, content, record, options)
    return _in_step(candidate, content, record, origin, options)


def _refusal(record: Record) -> str | None:
    if unknown := unknown_fields(record):
        # An import must not drop what others put there, and a record that has it can't be stored.
        return f"was written past the service, with fields that no record has: {', '.join(unknown)}"
    try:
        origin_of(record)
    except ValueError:
        return MALFORMED_ORIGIN
    return None


def _as_it_is(candidate: Candidate, outcome: ImportOutcome, reason: str) -> Step:
    return Step(Decision(outcome, reason=reason), candidate.content)


def _new(candidate: Candidate, options: ImportOptions, *, deleted: bool) -> Step:
    if candidate.formerly is not None:
        return _as_it_is(candidate, ImportOutcome.CONFLICT, FORMERLY.format(candidate.formerly))
    if deleted and options.on_conflict is not OnConflict.UPDATE:
        return _as_it_is(candidate, ImportOutcome.SKIPPED, DELETED_HERE)
    origin = None
    if options.source is not None:
        origin = _first_origin(candidate, candidate.content, None, options)
    return Step(Decision(ImportOutcome.CREATED), candidate.content, origin)


def _of_another(origin: KnownOrigin, candidate: Candidate, options: ImportOptions) -> str | None:
    """Return why a record is not that of the model."""
    elsewhere = candidate.record_id != candidate.model.id
    if origin.source in (options.source, options.nameless):
        # What was taken over without a name for its source gets one only when asked for.
        renamed = origin.source != options.remembered_as
        if renamed and not options.adopt:
            return "was taken over without a name for its source; --adopt gives it this one"
        return f"belongs to another model of the source: {origin.key!r}" if origin.key != candidate.model.id else None
    # Without a name, an import may change what it finds under the id itself, as it always could.
    return f"came from the source {origin.source!r}" if options.source is not None or elsewhere else None


def _under_its_earlier_id(candidate: Candidate, content: Content, record: Record, options: ImportOptions) -> Step:
    if _equals(candidate, content, record):
        decision = Decision(ImportOutcome.UNCHANGED, reason=WAS_ITS_ID)
        return Step(decision, content, _first_origin(candidate, content, record, options))
    return _take_over(candidate, content, record, options, WAS_ITS_ID)


def _from_elsewhere(candidate: Candidate, content: Content, record: Record, options: ImportOptions) -> Step:
    owner = candidate.content.get("user_id", options.owner_id)
    # What the source says later, such as grants, must not go into the record of somebody else.
    if _equals(candidate, content, record) and (options.adopt or record["user_id"] == owner):
        return _remembered(candidate, content, record, options)
    if options.adopt:
        return _take_over(candidate, content, record, options, TAKEN_OVER)
    return _refused(candidate, options, f"exists and did not come from the source {options.source}; {TAKES_OVER}")


def _said_unknown(candidate: Candidate, content: Content, record: Record, options: ImportOptions) -> Step:
    if _equals(candidate, content, record):
        return _remembered(candidate, content, record, options)
    if options.adopt or options.on_conflict is OnConflict.UPDATE:
        return _take_over(candidate, content, record, options, TAKEN_OVER)
    return _refused(candidate, options, f"{UNKNOWN_DIGEST}; {TAKES_OVER}")


def _remembered(candidate: Candidate, content: Content, record: Record, options: ImportOptions) -> Step:
    decision = Decision(ImportOutcome.UNCHANGED, note=REMEMBERED)
    return Step(decision, content, _first_origin(candidate, content, record, options))


def _take_over(candidate: Candidate, content: Content, record: Record, options: ImportOptions, reason: str) -> Step:
    # Without a named source, the times of an existing record count, as ever.
    given = content if options.source is None else {field: content[field] for field in candidate.said}
    fields = differing_fields(given, record) or malformed_fields(record, with_params=True)
    origin = _first_origin(candidate, content, record, options)
    return Step(Decision(ImportOutcome.UPDATED, fields, reason), given, origin)


def _refused(candidate: Candidate, options: ImportOptions, reason: str) -> Step:
    skips = options.on_conflict is OnConflict.SKIP
    return _as_it_is(candidate, ImportOutcome.SKIPPED if skips else ImportOutcome.CONFLICT, reason)


def _equals(candidate: Candidate, content: Content, record: Record) -> bool:
    """Return whether a record is well-formed and has the content of the source, in whatever order of names."""
    file = {field: content[field] for field in candidate.said}
    return not malformed_fields(record, with_params=True) and not _in_content(
        differing_fields(file, record), file, record
    )


def _first_origin(candidate: Candidate, content: Content, record: Record | None, options: ImportOptions) -> Record:
    source = options.remembered_as
    assert source is not None  # noqa: S101  # an import that remembers has a name for its source
    stored = complete_content(content, record, options.owner_id)
    return new_origin(source, candidate.model.id, candidate.first_fingerprints(stored))


def _without_a_name(
    candidate: Candidate, content: Content, record: Record, origin: KnownOrigin | None, options: ImportOptions
) -> Step:
    differing = differing_fields(content, record) or malformed_fields(record, with_params=True)
    decision = decide_update(options, differing)
    remembered = origin is not None and origin.source == options.remembered_as and options.trusted
    if origin is None or not remembered or not (decision.writes or not differing):
        return Step(decision, content)
    if origin.said is None:
        return Step(decision, content, _first_origin(candidate, content, record, options))
    return Step(decision, content, _renewed(candidate, origin.source, origin, origin.said))


def _in_step(
    candidate: Candidate, content: Content, record: Record, known: KnownOrigin, options: ImportOptions
) -> Step:
    assert options.source is not None  # noqa: S101  # decided above
    last = known.said
    if last is None:
        return _said_unknown(candidate, content, record, options)
    origin = _renewed(candidate, options.source, known, last)
    # Its times count only when a record is made.
    file = {field: content[field] for field in candidate.said}
    # What the source still gives under a name that is not known here now stays as it is here.
    file[GRANTS] = [*file[GRANTS], *last.still_gives(_others(record, file[GRANTS]), candidate.unbrought)]
    differing = differing_fields(file, record)
    malformed = malformed_fields(record, with_params=True)
    if options.on_conflict is OnConflict.UPDATE:
        fields = differing or malformed
        return Step(Decision(ImportOutcome.UPDATED if fields else ImportOutcome.UNCHANGED, fields), file, origin)
    if malformed:
        return _as_it_is(candidate, ImportOutcome.CONFLICT, f"{MALFORMED}: {', '.join(malformed)}")
    differing = _in_content(differing, file, record)
    if options.on_conflict is not OnConflict.MERGE and differing and _both_changed(candidate, record, last):
        return _refused(candidate, options, f"was {BOTH_CHANGED}: {', '.join(differing)}")
    merged = merge(last, file, record)
    changed = differing_fields(merged.content, record)
    if changed and (problem := _problem(merged.content, record)):
        return _as_it_is(candidate, ImportOutcome.CONFLICT, problem)
    decision = Decision(
        ImportOutcome.UPDATED if changed else ImportOutcome.UNCHANGED,
        changed,
        f"kept as changed here: {_listed(merged.kept)}" if merged.kept else "",
        [f"{part}: {BOTH_CHANGED}; kept as it is here" for part in merged.conflicts],
    )
    return Step(decision, merged.content, origin)


def _both_changed(candidate: Candidate, record: Record, last: Fingerprints) -> bool:
    return not last.describes(record) and not candidate.fingerprints(last).says_as(last)


def _renewed(candidate: Candidate, source: str, known: KnownOrigin, last: Fingerprints) -> Record | None:
    said = candidate.fingerprints(last)
    unchanged = source == known.source and said == last
    return None if unchanged else new_origin(source, candidate.model.id, said)


def _in_content(fields: Sequence[str], one: Content, other: Content) -> list[str]:
    """Return those of the fields that differ in more than the order of names."""
    return [name for name in fields if unordered_bytes(one[name]) != unordered_bytes(other.get(name))]


def _others(record: Record, grants: Sequence[Record]) -> list[Record]:
    """Return the grants of a record that are not among the given ones."""
    given = grant_paths(grants)
    return [grant for grant in well_formed_grants(record) if grant_path(grant) not in given]


def _problem(content: Content, record: Record) -> str | None:
    try:
        require_storable(complete_content(content, record, None))
    except TooLargeError as error:
        return f"can't be merged: {error}"
    return None


def _listed(parts: Sequence[Any]) -> str:
    more = f" and {len(parts) - _SHOWN:,} more" if len(parts) > _SHOWN else ""
    return ", ".join(parts[:_SHOWN]) + more
