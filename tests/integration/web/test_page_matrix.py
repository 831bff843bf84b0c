"""The permission matrix of the page: every route, for every role, allows exactly what it should."""

from pathlib import Path

import pytest

from service.web.sessions import form_token
from tests.support.directory import Directory
from tests.support.page import ORIGIN, browser
from tests.support.page_matrix import CASES
from tests.support.permission_matrix import CALLERS, NOBODY
from tests.support.permission_setup import PermissionSetup, Raw
from tests.support.routes import PAGE


def test_every_route_has_a_case() -> None:
    assert {str(route) for route in PAGE} == CASES.keys()


@pytest.mark.exhaustive
async def test_everybody_gets_what_they_should(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    setup = await PermissionSetup.set_up(directory, raw, tmp_path)
    for role in CALLERS:
        async with browser(directory) as opened:
            assert (await opened.sign_in(setup.credentials[role] or "")).status_code == 303
            for name, case in CASES.items():
                method, _, path = name.partition(" ")
                instead = {"first": setup.ids["revision"], "spare": setup.ids[f"{role} key"]}
                form = {key: instead.get(value, value) for key, value in case.form.items()}
                answer = await (opened.send(path, **form) if method == "POST" else opened.get(path, **case.query))
                assert answer.status_code == case.status(role), f"{name}, {role}: {answer.text}"
                if method == "POST" and role in case.allowed:
                    assert not setup.snapshot.unchanged(), f"{name}, {role}"
                    setup.snapshot.restore()
                else:
                    assert setup.snapshot.unchanged(), f"{name}, {role}"


@pytest.mark.exhaustive
async def test_nobody_gets_in_otherwise(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    setup = await PermissionSetup.set_up(directory, raw, tmp_path)
    for role in NOBODY:
        async with browser(directory) as opened:
            assert (await opened.sign_in(setup.credentials[role] or "")).status_code == 401
    for cookie in ("", "x", setup.credentials["admin"] or ""):
        async with browser(directory) as opened:
            opened.client.cookies.set("modeldeck_session", cookie)
            opened.form_token = form_token(cookie)
            for route in PAGE:
                headers = {"Accept": "*/*", "Origin": ORIGIN, "Authorization": f"Bearer {setup.credentials['admin']}"}
                answer = await opened.client.request(route.method, route.path, headers=headers)
                assert answer.status_code == 401, str(route)
    assert setup.snapshot.unchanged()
