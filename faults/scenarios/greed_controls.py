"""The controls of G1 to G6: without a bound, others must be seen to be hurt; otherwise its test proves nothing."""

import asyncio
from collections.abc import Callable, Iterator

from faults.environment.service import single_member_installation
from faults.environment.workspace import Workspace
from faults.report import Row, checked_row, progress
from faults.scenarios.greed import (
    BATCH,
    CONTROL_SECONDS,
    EXPORT,
    LARGE_PAGE,
    MAX_TOGGLE_BYTES,
    Greed,
    answers_to_slow_readers,
    ask_for_histories,
    bytes_of_a_toggle,
    changed_after_deactivation,
    send_slow_bodies,
    serving,
)
from faults.workload.greed_directory import fill
from faults.workload.greedy_clients import Bystanders

HARM = "others are refused or wait, or the memory grows by more than 150 MB"


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield the rows."""
    with single_member_installation(workspace, "unbounded") as (replica_set, installation):
        keys = fill(replica_set, installation)
        for bound, (what, seen) in CONTROLS.items():
            progress(f"{bound}: its control begins")
            with serving(replica_set, installation, keys, without=bound) as greed:
                harmed, measured, must_hold = seen(greed)
            problems = [] if harmed else ["nobody was hurt"]
            yield checked_row(bound, f"control: {what}", measured, must_hold, problems)


Seen = tuple[bool, str, str]


def _harm(found: Bystanders) -> Seen:
    return bool(found.problems), str(found), HARM


def _exports(greed: Greed) -> Seen:
    return _harm(asyncio.run(answers_to_slow_readers(greed, EXPORT, CONTROL_SECONDS, then_revoke=False))[0])


def _histories(greed: Greed) -> Seen:
    return _harm(asyncio.run(ask_for_histories(greed))[0])


def _revocation(greed: Greed) -> Seen:
    late, changed = changed_after_deactivation(greed)
    measured = f"{changed} models changed, {late} of them after the deactivation was answered"
    return late > BATCH, measured, f"more than {BATCH} are changed afterwards"


def _slow_bodies(greed: Greed) -> Seen:
    return _harm(asyncio.run(send_slow_bodies(greed, "ann", "ben"))[0])


def _toggles(greed: Greed) -> Seen:
    each = bytes_of_a_toggle(greed)
    return each > MAX_TOGGLE_BYTES, f"{each:,.0f} bytes each", f"more than {MAX_TOGGLE_BYTES:,} bytes each"


def _large_pages(greed: Greed) -> Seen:
    return _harm(asyncio.run(answers_to_slow_readers(greed, LARGE_PAGE, CONTROL_SECONDS, then_revoke=False))[0])


CONTROLS: dict[str, tuple[str, Callable[[Greed], Seen]]] = {
    "G1": ("one kind of places, of which two users can take all", _exports),
    "G2": ("whole revisions are read for a page of the history", _histories),
    "G3": ("the caller is not looked up again", _revocation),
    "G4": ("a request counts while its body arrives; two keys", _slow_bodies),
    "G5": ("a revision holds the whole content before and after", _toggles),
    "G6": ("large records are read with their page", _large_pages),
}
