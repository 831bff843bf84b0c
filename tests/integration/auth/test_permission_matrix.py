"""The permission matrix: every route, for every role and ownership, allows exactly what it should."""

from pathlib import Path

import pytest

from tests.support.directory import Directory
from tests.support.permission_matrix import CASES, COMPATIBLE_CASES, ROLES, case_of
from tests.support.permission_setup import PermissionSetup, Raw
from tests.support.routes import AUTHENTICATED, COMPATIBLE, STRICT, Route


def test_every_route_has_a_case() -> None:
    assert {f"{route.method} {route.inner}" for route in STRICT} == CASES.keys()
    assert {f"{route.method} {route.inner}" for route in AUTHENTICATED} == CASES.keys() | COMPATIBLE_CASES.keys()


@pytest.mark.parametrize("routes", [STRICT, COMPATIBLE], ids=["strict", "compatible"])
async def test_nobody_gets_in_where_they_may_not(
    directory: Directory, raw: Raw, tmp_path: Path, routes: list[Route]
) -> None:
    setup = await PermissionSetup.set_up(directory, raw, tmp_path)
    for route in routes:
        case = case_of(route)
        refused = [role for role in ROLES if role not in case.changing]
        for role in sorted(ROLES, key=case.changing.__contains__):
            answer = await setup.send(route, case, role)
            assert answer.status_code == case.status(role), f"{route}, {role}: {answer.text}"
            if role in case.changing:
                assert not setup.snapshot.unchanged(), f"{route}, {role}"
                setup.snapshot.restore()
            elif role == refused[-1]:
                assert setup.snapshot.unchanged(), f"{route}, {', '.join(refused)}"
