"""Every route responds alike to a hidden and to an absent record, and sends the same database commands for both.

To compare response times too: TIMED_PAIRS=500 pytest tests/integration/auth/test_hidden_and_absent.py
"""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest

from tests.conftest import Commands
from tests.support.directory import Directory, grant
from tests.support.permission_matrix import MODEL, Case, Ids, case_of
from tests.support.permission_setup import NOTHING, PermissionSetup, Raw
from tests.support.routes import AUTHENTICATED, STRICT, Route
from tests.support.timing import median_gap

ABSENT, NO_REVISION = "team/m:2", "0" * 32
PAIRS = int(os.environ.get("TIMED_PAIRS", "0"))
MOST_SECONDS = 0.001
# A caller who wants to use an id must learn that it is taken: tested below. A sync is for admins, who see all.
TELLING = ("/models/create", "/models/import", "/models/sync")


class Question(NamedTuple):
    """A request for a model that is hidden from the caller."""

    route: Route
    case: Case
    headers: Ids = NOTHING

    def __str__(self) -> str:
        extra = [self.case.query.replace(f"?id={MODEL}", ""), *self.headers.values()]
        return " ".join([str(self.route), *filter(None, extra)])


def _about_the_model(route: Route, case: Case) -> bool:
    content = str(case.body({"revision": "the revision"})) if case.body and "key" not in route.path else ""
    return any(name in route.path + case.query + content for name in (MODEL, "{revision}", "the revision"))


def _questions() -> Iterator[Question]:
    for route in AUTHENTICATED:
        case = case_of(route)
        if route.inner in TELLING or not _about_the_model(route, case):
            continue
        yield Question(route, case)
        if route.inner.startswith("/models/model") and route.method != "GET":
            yield from (Question(route, case, {"If-Match": tag}) for tag in ('"1"', '"2"', "*"))
        more = {
            "/models/export": ("&id=own", "&format=csv", "&format=modeldeck", "&format=openwebui", "&format=jsonl"),
            "/models/model/access": ("&user_id=stranger", "&user_id=owner", "&page=2", "&user_id=nobody"),
            "/models/model/history": ("&page=2",),
        }
        for query in more.get(route.inner, ()):
            yield Question(route, Case(case.allowed, case.query + query))


QUESTIONS = list(_questions())


@pytest.fixture
async def permission_setup(directory: Directory, raw: Raw, tmp_path: Path) -> PermissionSetup:
    return await PermissionSetup.set_up(directory, raw, tmp_path)


def ask(permission_setup: PermissionSetup, question: Question, *, hidden: bool) -> "partial[Any]":
    instead = {} if hidden else {MODEL: ABSENT, permission_setup.ids["revision"]: NO_REVISION}
    return partial(
        permission_setup.send, question.route, question.case, "stranger", instead=instead, headers=question.headers
    )


def comparable(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """Return everything in a response that could reveal something, without what the request contained."""
    headers = {name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")}
    return answer.status_code, answer.text.replace(ABSENT, MODEL), headers


def sent(commands: Commands) -> list[tuple[str, Any]]:
    """Return the name and collection of each command, without those that record the use of an API key.

    Lookups of credentials come first: it is chance whether they are sent before what is read meanwhile.
    """
    found = [(event.command_name, event.command.get(event.command_name)) for event in commands.started_events]
    others = [(name, place) for name, place in found if place != "api_keys" or name in ("aggregate", "delete")]
    return sorted(others, key=lambda command: command != ("aggregate", "api_keys"))


def test_every_route_about_a_model_is_asked() -> None:
    asked = {(question.route.method, question.route.inner) for question in QUESTIONS}
    assert len(asked) >= 13
    assert ("GET", "/models/model/history/{revision}") in asked
    named = {(route.method, route.inner) for route in STRICT if route.inner.startswith("/models/model")}
    assert named <= asked
    assert {("POST", "/models/bulk/state"), ("POST", "/models/bulk/access"), ("GET", "/models/export")} <= asked


@pytest.mark.parametrize("prefix", ["/api/", "/api/v1/"])
async def test_both_are_answered_alike(permission_setup: PermissionSetup, commands: Commands, prefix: str) -> None:
    for question in QUESTIONS:
        if question.route.is_compatible != (prefix == "/api/v1/"):
            continue
        answers, work = [], []
        for hidden in (True, False):
            commands.clear()
            answers.append(await ask(permission_setup, question, hidden=hidden)())
            work.append(sent(commands))
        assert comparable(answers[0]) == comparable(answers[1]), str(question)
        # The database commands too, since they would show in the response time.
        assert work[0] == work[1], str(question)
        assert work[0], str(question)
    assert permission_setup.snapshot.unchanged()


async def test_a_revision_of_a_hidden_model_is_no_revision_of_ones_own_either(
    permission_setup: PermissionSetup, directory: Directory, commands: Commands
) -> None:
    assert (await directory.post("/api/models/create", "stranger", {"id": "own", "name": "O"})).status_code == 200
    answers, work = [], []
    for revision in (permission_setup.ids["revision"], NO_REVISION):
        commands.clear()
        body = {"id": "own", "revision": revision}
        answers.append(await directory.post("/api/models/model/history/restore", "stranger", body))
        work.append(sent(commands))
    assert comparable(answers[0]) == comparable(answers[1])
    assert work[0] == work[1]


async def test_a_key_of_somebody_else_is_no_key(
    permission_setup: PermissionSetup, directory: Directory, commands: Commands
) -> None:
    answers, work = [], []
    for key in (permission_setup.ids["owner key"], "0" * 16):
        commands.clear()
        answers.append(await directory.post("/api/keys/revoke", "stranger", {"id": key}))
        work.append(sent(commands))
    assert comparable(answers[0]) == comparable(answers[1])
    assert work[0] == work[1]
    assert permission_setup.snapshot.unchanged() or answers[0].status_code == 404


async def test_what_can_not_be_an_id_is_refused_everywhere(permission_setup: PermissionSetup) -> None:
    for question in QUESTIONS:
        if MODEL not in question.case.query:
            continue
        for model_id in ("a b", "", "x" * 257, "a\0", "\u00a0", "\u2028", "$" * 300):
            answer = await permission_setup.send(
                question.route, question.case, "stranger", instead={MODEL: quote(model_id)}
            )
            assert (answer.status_code, answer.json()["errors"][0]["loc"][:2]) == (422, ["query", "id"]), str(question)


async def test_that_an_id_is_taken_is_reported_and_nothing_else_of_it(
    permission_setup: PermissionSetup, directory: Directory
) -> None:
    body = {"id": MODEL, "name": "Mine"}
    answer = await directory.post("/api/models/create", "stranger", body)
    assert (answer.status_code, answer.json()["detail"]) == (409, "This model id is taken.")
    for sent_body in ({"models": [body]}, {"models": [{**body, "access_grants": [grant("user:*")]}], "dry_run": True}):
        answer = await directory.post("/api/models/import", "stranger", sent_body)
        assert answer.status_code == 422
        assert [error["msg"] for error in answer.json()["errors"]] == ["This model id is taken."]
    answer = await directory.post("/api/models/import", "stranger", {"models": [body]}, format="modeldeck")
    assert [error["msg"] for error in answer.json()["errors"]] == [f"model {MODEL!r}: id: This model id is taken."]


@pytest.mark.skipif(not PAIRS, reason="TIMED_PAIRS is not set")
async def test_a_clock_does_not_tell_them_apart(permission_setup: PermissionSetup, raw: Raw) -> None:
    # Large records, since reading them would take noticeably longer.
    large = {"system": "x" * 400_000}
    raw.models.update_many({}, {"$set": {"params": large}})
    raw.revisions.update_many({"before": {"$ne": None}}, {"$set": {"before.params": large}})
    raw.revisions.update_many({}, {"$set": {"after.params": large}})
    gaps = {
        str(question): await median_gap(
            ask(permission_setup, question, hidden=True), ask(permission_setup, question, hidden=False), PAIRS
        )
        for question in QUESTIONS
        if not question.route.is_compatible
    }
    print("\n".join(f"{gap * 1e6:+8.0f} us  {question}" for question, gap in gaps.items()))
    assert {question: gap for question, gap in gaps.items() if abs(gap) >= MOST_SECONDS} == {}
