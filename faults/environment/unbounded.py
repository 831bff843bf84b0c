"""The service without one of its bounds, for controls: `python -m faults.environment.unbounded G1 serve`.

A control must be seen to do the harm that the bound prevents; otherwise the test of the bound proves nothing.
"""

import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from fastapi import Request

from faults.environment.member import END_WITH_PARENT
from faults.environment.service import ROOT
from service.cli import main
from service.http import dependencies, json_body
from service.http.places import SHARE, LongRequest, Places
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


BOUNDS: dict[str, Callable[[], None]] = {"G1": share_places, "G3": keep_rights, "G4": count_slow_bodies}


if __name__ == "__main__":
    BOUNDS[sys.argv.pop(1)]()
    main()
