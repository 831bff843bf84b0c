"""What a Python client changes: nothing of others is lost, and nothing is done twice."""

import asyncio
from functools import partial
from typing import Any

import httpx
import pytest
from starlette.responses import HTMLResponse

from modeldeck_client import Conflict, NoAnswer, NotFound, UnexpectedAnswer, VersionChanged
from service.models import operations
from tests.support.directory import Directory, grant
from tests.support.python_clients import Client, Connect
from tests.support.served_directory import ServedDirectory

CREATE, MODEL = "/api/models/create", "/api/models/model"
UPDATE, ACCESS, DELETE = f"{MODEL}/update", f"{MODEL}/access/update", f"{MODEL}/delete"

# The two clients share all but how they send and wait; `make test` tries one of them here.
pytestmark = pytest.mark.sampled(2)


@pytest.fixture
async def created(directory: Directory, serving: ServedDirectory) -> dict[str, Any]:
    body = {"id": "m", "name": "M", "params": {"n": 0}, "meta": {"tags": ["a"], "old": 1}}
    answer = await directory.post(CREATE, "ann", body)
    assert answer.status_code == 200, answer.text
    model: dict[str, Any] = answer.json()
    return model


def add_tag(model: Any) -> None:
    model["meta"]["tags"].append({"name": "new"})


def count(model: Any) -> None:
    model["params"]["n"] += 1


async def test_a_creation_whose_answer_was_lost_is_done_once(ann: Client, serving: ServedDirectory) -> None:
    serving.lose_answer("POST", CREATE)
    model = await ann.call("create", {"id": "m", "name": "M"})
    assert (model["version"], model["name"]) == (1, "M")
    first, again = serving.sent("POST", CREATE)
    assert first["idempotency-key"] == again["idempotency-key"]
    with pytest.raises(Conflict):
        await ann.call("create", {"id": "m", "name": "M"})
    assert await ann.call("create", {"id": "k", "name": "K"}, idempotency_key="mine") == await ann.call(
        "create", {"id": "k", "name": "K"}, idempotency_key="mine"
    )


async def test_who_sends_what_is_still_being_done_waits_for_its_answer(
    ann: Client, serving: ServedDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end, create = asyncio.Event(), operations.create

    async def slowly(*arguments: Any) -> None:
        await may_end.wait()
        await create(*arguments)

    monkeypatch.setattr(operations, "create", slowly)
    both = [asyncio.create_task(ann.call("create", {"id": "m", "name": "M"}, idempotency_key="mine")) for _ in range(2)]
    await serving.answered("POST", CREATE, 409)
    may_end.set()
    first, second = await asyncio.gather(*both)
    assert first == second
    assert first["version"] == 1
    assert len(serving.sent("POST", CREATE)) == 3


async def test_bulk_changes_are_done_once_too(ann: Client, created: Any, serving: ServedDirectory) -> None:
    serving.lose_answer("POST", "/api/models/bulk/state")
    results = await ann.call("bulk_state", {"ids": ["m", "gone"], "is_active": False})
    assert [one["status"] for one in results["results"]] == ["changed", "not_found"]
    results = await ann.call("bulk_access", {"filter": {"in": None, "tag": ["a"]}, "add": [grant("user:*")]})
    assert results["counts"]["changed"] == 1


async def test_a_function_is_applied_to_what_others_have_changed_meanwhile(
    ann: Client, created: Any, serving: ServedDirectory
) -> None:
    for name in ("first", "second"):
        body = {"id": "m", "name": name}
        serving.meanwhile("POST", UPDATE, partial(serving.directory.post, UPDATE, "ann", body))
    changed = await ann.call("change", "m", add_tag)
    assert (changed["name"], changed["version"]) == ("second", 4)
    assert changed["meta"] == {**created["meta"], "tags": [{"name": "a"}, {"name": "new"}]}
    assert changed["params"] == {"n": 0}


async def test_many_who_count_lose_no_count(connect: Connect, created: Any, serving: ServedDirectory) -> None:
    key = await serving.directory.key("ann")
    async with connect(key) as one, connect(key) as other:
        counts = [client.call("change", "m", count) for client in (one, other) for _ in range(4)]
        await asyncio.gather(*counts)
        assert (await one.call("get", "m"))["params"] == {"n": 8}


async def test_a_function_whose_answer_was_lost_is_applied_once(
    ann: Client, created: Any, serving: ServedDirectory
) -> None:
    serving.lose_answer("POST", UPDATE)
    changed = await ann.call("change", "m", count)
    assert (changed["params"], changed["version"]) == ({"n": 1}, 2)
    assert len(serving.sent("POST", UPDATE)) == 1
    # The next one does not reach the service at all.
    serving.answer("POST", UPDATE, HTMLResponse("Bad gateway", 502))
    changed = await ann.call("change", "m", count)
    assert (changed["params"], changed["version"]) == ({"n": 2}, 3)


async def test_who_can_not_know_whether_it_was_applied_is_told_so(
    ann: Client, created: Any, serving: ServedDirectory
) -> None:
    async def nothing() -> None:
        """Have the first reading go on as it is."""

    async def others() -> None:
        await serving.directory.post(UPDATE, "ann", {"id": "m", "params": {"n": 7}})

    serving.lose_answer("POST", UPDATE)
    serving.meanwhile("GET", MODEL, nothing)
    serving.meanwhile("GET", MODEL, others)
    with pytest.raises(NoAnswer) as unknown:
        await ann.call("change", "m", count)
    assert unknown.value.in_doubt
    assert isinstance(unknown.value.__cause__, httpx.RemoteProtocolError | httpx.ReadError)


async def test_who_is_never_fast_enough_is_told_so(
    ann: Client, created: Any, serving: ServedDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modeldeck_client.changing.ATTEMPTS", 3)
    for number in range(3):
        body = {"id": "m", "name": f"N{number}"}
        serving.meanwhile("POST", UPDATE, partial(serving.directory.post, UPDATE, "ann", body))
    with pytest.raises(VersionChanged):
        await ann.call("change", "m", count)
    assert (await ann.call("get", "m"))["params"] == {"n": 0}


async def test_what_an_update_can_not_change_is_refused_before_it_is_sent(
    ann: Client, created: Any, serving: ServedDirectory
) -> None:
    with pytest.raises(ValueError, match="an update can't change access_grants, version, only base_model_id, name"):
        await ann.call("change", "m", lambda model: model.update(access_grants=[grant("user:*")], version=9))
    with pytest.raises(ValueError, match="must change the model that it is given, and return nothing"):
        await ann.call("change", "m", lambda _: {"name": "N"})
    assert await ann.call("change", "m", lambda _: None) == created
    with pytest.raises(ValueError, match="if_version: only a patch takes it"):
        await ann.call("change", "m", count, if_version=1)
    assert serving.sent("POST", UPDATE) == []


async def test_what_python_calls_equal_is_a_change(ann: Client, created: Any) -> None:
    changed = await ann.call("change", "m", lambda model: model["params"].update(n=False))
    assert changed["params"]["n"] is False


async def test_a_patch_keeps_what_it_does_not_name(ann: Client, created: Any, serving: ServedDirectory) -> None:
    serving.lose_answer("PATCH", MODEL)
    changed = await ann.call("change", "m", {"name": "N", "meta": {"old": None, "deep": {"new": 1}}})
    assert (changed["name"], changed["version"]) == ("N", 2)
    assert changed["meta"]["tags"] == [{"name": "a"}]
    assert (changed["meta"].get("old"), changed["meta"]["deep"]) == (None, {"new": 1})
    with pytest.raises(VersionChanged):
        await ann.call("change", "m", {"name": "O"}, if_version=1)
    serving.answer("PATCH", MODEL, HTMLResponse("Bad gateway", 502))
    with pytest.raises(UnexpectedAnswer):
        await ann.call("change", "m", {"name": "O"}, if_version=2)
    assert (await ann.call("change", "m", {"name": "O"}, if_version=2))["name"] == "O"


async def test_grants_of_others_stay(ann: Client, created: Any, serving: ServedDirectory) -> None:
    directory = serving.directory
    for user in ("ben", "cid"):
        await directory.user(user)

    async def share_with_cid() -> None:
        body = {"id": "m", "access_grants": [grant("user:cid", "write")]}
        assert (await directory.post(ACCESS, "ann", body)).status_code == 200

    serving.meanwhile("POST", ACCESS, share_with_cid)
    serving.lose_answer("POST", ACCESS)
    shared = await ann.call("share", "m", "user:ben")
    assert _principals(shared) == {("cid", "write"), ("ben", "read")}
    assert shared["version"] == 3
    await ann.call("share", "m", "user:ben", "write")
    assert _principals(await ann.call("unshare", "m", "user:ben", "read")) == {("cid", "write"), ("ben", "write")}
    assert _principals(await ann.call("unshare", "m", "user:ben")) == {("cid", "write")}
    assert (await ann.call("unshare", "m", "user:ben"))["version"] == 6
    for method in ("share", "unshare"):
        with pytest.raises(ValueError, match="permission: must be read or write, not 'own'"):
            await ann.call(method, "m", "user:cid", "own")
    with pytest.raises(ValueError, match=r"principal: must be user:<id>, group:<id> or user:\* for everyone"):
        await ann.call("share", "m", "ben")


def _principals(model: Any) -> set[tuple[str, str]]:
    return {(one["principal_id"], one["permission"]) for one in model["access_grants"]}


async def test_a_deletion_whose_answer_was_lost_has_been_made(
    ann: Client, created: Any, serving: ServedDirectory
) -> None:
    with pytest.raises(VersionChanged):
        await ann.call("delete", "m", if_version=7)
    serving.lose_answer("POST", DELETE)
    await ann.call("delete", "m", if_version=1)
    with pytest.raises(NotFound):
        await ann.call("delete", "m")


async def test_a_deletion_is_not_repeated_on_what_was_made_again_meanwhile(
    directory: Directory, ann: Client, created: Any, serving: ServedDirectory
) -> None:
    serving.lose_answer("POST", DELETE)

    async def make_again() -> None:
        assert (await directory.post(CREATE, "ann", {"id": "m", "name": "Again"})).status_code == 200

    serving.meanwhile("POST", DELETE, make_again)
    with pytest.raises(NoAnswer) as unknown:
        await ann.call("delete", "m")
    assert unknown.value.in_doubt
    assert (await ann.call("get", "m"))["name"] == "Again"


async def test_a_deletion_begins_again_when_others_changed_the_model_meanwhile(
    directory: Directory, ann: Client, created: Any, serving: ServedDirectory
) -> None:
    async def change() -> None:
        assert (await directory.post(UPDATE, "ann", {"id": "m", "name": "Other"})).status_code == 200

    serving.meanwhile("POST", DELETE, change)
    await ann.call("delete", "m")
    with pytest.raises(NotFound):
        await ann.call("get", "m")


async def test_what_failed_for_good_is_not_sent_again(ann: Client, created: Any, serving: ServedDirectory) -> None:
    for path, name in ((UPDATE, "change"), (DELETE, "delete")):
        serving.answer("POST", path, HTMLResponse("Broken", 500))
        with pytest.raises(UnexpectedAnswer) as unknown:
            await ann.call(name, "m", *([count] if name == "change" else []))
        assert unknown.value.in_doubt
        assert len(serving.sent("POST", path)) == 1
