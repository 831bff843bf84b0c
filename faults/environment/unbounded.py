"""The service without one of its bounds, for controls: `python -m faults.environment.unbounded G1 serve`.

A control must be seen to do the harm that the bound prevents; otherwise the test of the bound proves nothing.
"""

import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import Request

from faults.environment.member import END_WITH_PARENT
from faults.environment.service import ROOT
from service.cli import main
from service.http import dependencies, json_body
from service.http.places import SHARE, LongRequest, Places
from service.listing import pipeline
from service.models import store
from service.models.history import revisions
from service.models.history.schemas import HistoryParams
from service.models.record import Content
from tests.support.commands import Processes


class UnboundedShell(Processes):
    """A command line of a service without the bound of a test, named by the id of the test."""

    def __init__(self, bound: str, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(folder)
        self.environment = {**environment, "PYTHONPATH": str(ROOT)}
        self.program = (*END_WITH_PARENT, sys.executable, "-m", __name__, bound)


def share_places() -> None:
    """Let all kinds of long requests take the same places, and keep them for ever."""

    def shared(max_in_flight: int) -> dict[LongRequest, Places]:
        most = max_in_flight // SHARE
        return dict.fromkeys(LongRequest, Places(LongRequest.STREAM, most, most))

    vars(dependencies).update(places=shared)


def keep_rights() -> None:
    """Let work go on with the rights that its caller had at the beginning."""

    async def entitled(_: Request) -> None:
        pass

    vars(dependencies).update(require_still_entitled=entitled)


def count_slow_bodies() -> None:
    """Count a request among those in flight while its body arrives."""

    async def arrived(_: Request, receiving: Coroutine[Any, Any, None]) -> None:
        await receiving

    vars(json_body).update(_arrived=arrived)


def read_whole_revisions() -> None:
    """Read all of each revision for a page of the history."""
    bounded = revisions.page_pipeline

    def whole(query: Mapping[str, Any], params: HistoryParams) -> list[dict[str, Any]]:
        return [{"$set": {"fields": []}} if "$project" in stage else stage for stage in bounded(query, params)]

    vars(revisions).update(page_pipeline=whole)


def store_whole_revisions() -> None:
    """Store the whole content before and after each change."""

    def whole(before: Content | None, after: Content | None, _: Sequence[str]) -> dict[str, Any]:
        return {"fields": None, "image_kept": False, "before": before, "after": dict(after) if after else None}

    vars(store).update(stored_sides=whole)


def read_large_records() -> None:
    """Read large records together with the others of their page."""
    vars(pipeline).update(WITHOUT_LARGE={"$match": {}})


BOUNDS: dict[str, Callable[[], None]] = {
    "G1": share_places,
    "G2": read_whole_revisions,
    "G3": keep_rights,
    "G4": count_slow_bodies,
    "G5": store_whole_revisions,
    "G6": read_large_records,
}


if __name__ == "__main__":
    BOUNDS[sys.argv.pop(1)]()
    main()
