"""The permission matrix: every route, for every role and ownership, allows exactly what it should."""

from pathlib import Path

import pytest

from tests.support.directory import Directory
from tests.support.doors import GUARDED, LENIENT, STRICT, Door
from tests.support.matrix import CASES, ROLES
from tests.support.stage import Raw, Stage


def test_every_route_has_a_case() -> None:
    assert {f"{door.method} {door.inner}" for door in GUARDED} == CASES.keys()


@pytest.mark.parametrize("doors", [STRICT, LENIENT], ids=["strict", "lenient"])
async def test_nobody_gets_in_where_they_may_not(
    real_directory: Directory, raw: Raw, tmp_path: Path, doors: list[Door]
) -> None:
    stage = await Stage.set_up(real_directory, raw, tmp_path)
    for door in doors:
        case = CASES[f"{door.method} {door.inner}"]
        for role in ROLES:
            answer = await stage.send(door, case, role)
            assert answer.status_code == case.status(role), f"{door}, {role}: {answer.text}"
            assert stage.unchanged() == (role not in case.changing), f"{door}, {role}"
            if role in case.changing:
                stage.set_back()
