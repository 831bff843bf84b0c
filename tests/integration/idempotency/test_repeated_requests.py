"""A request with an idempotency key is carried out once, and is answered alike when it is sent again."""

import asyncio
import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from documents.api_key import Scope
from documents.user import Role
from service.database.client import Database
from service.idempotency import store
from service.models import bulk_change
from service.models.store import LostRaceError
from tests.conftest import Commands, Raw
from tests.support.directory import Directory, grant

MODELS = "/api/models"
CREATE = f"{MODELS}/create"
MODEL = {"id": "m", "name": "M", "params": {"system": "secret prompt", "n": 2**60}}
STATE = {"filter": {"query": "M"}, "is_active": False}
FILE = {"models": [{"id": "f", "name": "F"}, {"id": "bad id", "name": "G"}]}
# Address and body of each request that takes a key.
REQUESTS: dict[str, tuple[str, Any]] = {
    "create": (CREATE, {**MODEL, "id": "new"}),
    "state": (f"{MODELS}/bulk/state", STATE),
    "access": (f"{MODELS}/bulk/access", {"ids": ["m", "absent"], "add": [grant("user:*")]}),
    "import": (f"{MODELS}/import", {"models": [{"id": "i", "name": "I"}, {"id": "m", "name": "N"}]}),
    "import dry": (f"{MODELS}/import", {"models": [{"id": "i", "name": "I"}], "dry_run": True}),
    "file": (f"{MODELS}/import?format=modeldeck", {"models": [{"id": "f", "name": "F"}]}),
    "file dry": (f"{MODELS}/import?format=modeldeck&dry_run=true", FILE),
    "file in parts": (f"{MODELS}/import?format=modeldeck&atomic=false", FILE),
    "sync": (f"{MODELS}/sync", {"models": [{"id": "s", "name": "S"}], "max_deletions": "100%"}),
}


@pytest.fixture
async def people(directory: Directory) -> Directory:
    """A directory in which ann has the model m; bob has nothing, and root is an admin."""
    for user in ("ann", "bob"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)
    assert (await directory.post(CREATE, "ann", MODEL)).status_code == 200
    return directory


def everything(raw: Raw) -> list[Any]:
    return [list(raw[name].find().sort("_id", 1)) for name in ("models", "revisions")]


def lasting(answer: httpx.Response) -> tuple[int, bytes, str, str | None]:
    headers = answer.headers
    return answer.status_code, answer.content, headers["content-type"], headers.get("etag")


@pytest.mark.parametrize("prefix", ["/api", "/api/v1"])
@pytest.mark.parametrize("kind", REQUESTS)
async def test_a_repeated_request_is_not_carried_out_again_and_gets_the_same_answer(
    people: Directory, raw: Raw, kind: str, prefix: str
) -> None:
    path, body = REQUESTS[kind]
    path, _, query = path.replace("/api", prefix, 1).partition("?")
    parameters = dict(pair.split("=") for pair in query.split("&") if query)
    user = "root" if kind == "sync" else "ann"

    first = await people.post(path, user, body, once="k-1", **parameters)
    assert (first.status_code, "idempotent-replayed" in first.headers) == (200, False)
    after = everything(raw)
    for spelling in ("k-1", '"k-1"'):
        again = await people.post(path, user, body, once=spelling, **parameters)
        assert lasting(again) == lasting(first)
        assert again.headers["idempotent-replayed"] == "true"
    assert everything(raw) == after
    # Another key is another request.
    other = await people.post(path, user, body, once="k-2", **parameters)
    assert "idempotent-replayed" not in other.headers
    assert (other.status_code == 409) == (kind == "create")


async def test_the_answer_stays_as_it_was_when_the_model_changes(people: Directory) -> None:
    first = await people.post(CREATE, "ann", {"id": "n", "name": "N"}, once="k")
    await people.post(f"{MODELS}/model/update", "ann", {"id": "n", "name": "Other"})
    assert lasting(await people.post(CREATE, "ann", {"id": "n", "name": "N"}, once="k")) == lasting(first)


async def test_a_key_is_good_for_one_request(people: Directory, raw: Raw) -> None:
    body = {"id": "n", "name": "N"}
    assert (await people.post(CREATE, "ann", body, once="k")).status_code == 200
    after = everything(raw)
    others: list[tuple[str, Any, dict[str, Any]]] = [
        (CREATE, {**body, "name": "Other"}, {}),
        (CREATE, {"name": "N", "id": "n"}, {}),
        (CREATE.replace("/api", "/api/v1", 1), body, {}),
        (f"{MODELS}/bulk/state", STATE, {}),
        (f"{MODELS}/import", {"models": [body]}, {}),
        (f"{MODELS}/import", FILE, {"format": "modeldeck"}),
    ]
    for path, sent, query in others:
        answer = await people.post(path, "ann", sent, once="k", **query)
        assert answer.status_code == 422, (path, answer.text)
        [error] = answer.json()["errors"]
        assert error["loc"] == ["header", "Idempotency-Key"]
    assert everything(raw) == after


async def test_the_same_file_compressed_again_is_the_same_request(people: Directory) -> None:
    body = json.dumps(REQUESTS["file"][1]).encode()
    headers = {"Authorization": f"Bearer {await people.key('ann')}", "Idempotency-Key": "k", "Content-Encoding": "gzip"}
    sent = [gzip.compress(body, mtime=second) for second in (1, 2)]
    assert sent[0] != sent[1]
    answers = [await people.client.post(REQUESTS["file"][0], content=one, headers=headers) for one in sent]
    assert lasting(answers[0]) == lasting(answers[1])
    assert "idempotent-replayed" in answers[1].headers


async def test_the_same_text_is_another_key_for_somebody_else(people: Directory) -> None:
    mine = await people.post(CREATE, "ann", {"id": "a", "name": "N"}, once="k")
    theirs = await people.post(CREATE, "bob", {"id": "a", "name": "N"}, once="k")
    assert (mine.status_code, theirs.status_code) == (200, 409)
    assert "replayed" not in str(theirs.headers)
    assert (await people.post(CREATE, "bob", {"id": "b", "name": "B"}, once="k")).json()["user_id"] == "bob"


async def test_requests_at_the_same_time_are_carried_out_once(people: Directory, raw: Raw) -> None:
    bodies = [(CREATE, {"id": "n", "name": "N"})] * 8 + [
        (f"{MODELS}/bulk/state", {"ids": ["m"], "is_active": False})
    ] * 8
    answers = await asyncio.gather(
        *(people.post(path, "ann", body, once=path[-6:].replace("/", "-")) for path, body in bodies)
    )
    for some in (answers[:8], answers[8:]):
        statuses = [answer.status_code for answer in some]
        assert set(statuses) <= {200, 409}
        assert len({answer.content for answer in some if answer.status_code == 200}) == 1
        for answer in some:
            assert answer.status_code == 200 or answer.headers["retry-after"] == "1"
            assert answer.status_code == 200 or "still running" in answer.json()["detail"]
    assert raw.revisions.count_documents({"model_id": "n"}) == 1
    assert raw.revisions.count_documents({"model_id": "m"}) == 2


async def test_who_has_lost_the_right_to_read_is_not_shown_the_answer_again(people: Directory) -> None:
    shared = {"id": "m", "access_grants": [grant("user:bob", "write")]}
    assert (await people.post(f"{MODELS}/model/access/update", "ann", shared)).status_code == 200
    seen = await people.post(f"{MODELS}/bulk/state", "bob", STATE, once="k")
    assert [result["id"] for result in seen.json()["results"]] == ["m"]
    assert (await people.post(f"{MODELS}/bulk/state", "bob", STATE, once="k")).status_code == 200

    await people.post(f"{MODELS}/model/access/update", "ann", {"id": "m", "access_grants": []})

    again = await people.post(f"{MODELS}/bulk/state", "bob", STATE, once="k")
    assert (again.status_code, "no longer see" in again.json()["detail"], '"m"' in again.text) == (409, True, False)
    # The same for what is gone: hidden and absent can't be told apart.
    made = {"id": "n", "name": "N"}
    await people.post(CREATE, "ann", made, once="n")
    await people.post(f"{MODELS}/model/delete", "ann", {"id": "n"})
    gone = await people.post(CREATE, "ann", made, once="n")
    assert gone.json()["detail"] == again.json()["detail"]


async def test_an_answer_to_an_admin_is_for_admins(people: Directory, raw: Raw) -> None:
    seen = await people.post(f"{MODELS}/bulk/state", "root", STATE, once="k")
    assert (seen.status_code, seen.json()["counts"]["changed"]) == (200, 1)
    raw.users.update_one({"_id": "root"}, {"$set": {"role": "user"}})
    assert (await people.post(f"{MODELS}/bulk/state", "root", STATE, once="k")).status_code == 409


async def test_no_key_gets_an_answer_with_less_than_the_right_to_write(people: Directory) -> None:
    assert (await people.post(CREATE, "ann", {"id": "n", "name": "N"}, once="k")).status_code == 200
    for credential, status in ((await people.key("ann", scope=Scope.READ), 403), ("mdk_wrong", 401)):
        headers = {"Authorization": f"Bearer {credential}", "Idempotency-Key": "k"}
        answer = await people.client.post(CREATE, json={"id": "n", "name": "N"}, headers=headers)
        assert (answer.status_code, "user_id" in answer.text) == (status, False)


async def test_a_refused_request_can_be_sent_again_when_it_can_succeed(people: Directory, raw: Raw) -> None:
    body = {"id": "m", "name": "Taken"}
    assert (await people.post(CREATE, "ann", body, once="k")).status_code == 409
    assert (await people.post(CREATE, "ann", {"id": "n", "name": " "}, once="l")).status_code == 422
    await people.post(f"{MODELS}/model/delete", "ann", {"id": "m"})
    assert (await people.post(CREATE, "ann", body, once="k")).status_code == 200
    # A key that nothing came of is free for another request.
    assert (await people.post(CREATE, "ann", {"id": "n", "name": "N"}, once="l")).status_code == 200


async def test_a_bulk_change_that_others_disturbed_goes_on(people: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"ids": ["m"], "is_active": False}

    async def contended(*_: Any) -> bulk_change.RecordResult:
        return bulk_change.RecordResult("m", bulk_change.RecordStatus.FAILED, detail=bulk_change.CONTENDED)

    async def lost(*_: Any) -> None:
        raise LostRaceError

    with monkeypatch.context() as others:
        others.setattr(bulk_change, "_change_one", contended)
        others.setattr(bulk_change, "_change_together", lost)
        first = await people.post(f"{MODELS}/bulk/state", "ann", body, once="k")
    assert first.json()["counts"]["failed"] == 1
    again = await people.post(f"{MODELS}/bulk/state", "ann", body, once="k")
    assert again.json()["counts"]["changed"] == 1


@pytest.mark.parametrize("sent", [["a b"], [""], ["k" * 256], ["k", "k"], ['"k'], ["k, k"]], ids=str)
async def test_what_is_no_key_is_refused(people: Directory, sent: list[str], raw: Raw) -> None:
    for path, body in REQUESTS.values():
        headers = [("Authorization", f"Bearer {await people.key('root')}"), *(("Idempotency-Key", key) for key in sent)]
        answer = await people.client.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["header", "Idempotency-Key"])
    assert raw.models.count_documents({}) == 1


async def test_a_key_is_forgotten_after_a_day_and_with_its_user(people: Directory, raw: Raw) -> None:
    body = {"ids": ["m"], "is_active": False}
    await people.post(f"{MODELS}/bulk/state", "ann", body, once="k")
    [kept] = raw.idempotent_requests.find()
    assert timedelta(hours=23, minutes=58) < kept["expires_at"] - datetime.now(UTC) <= timedelta(hours=24)
    ended = {"$set": {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}}
    raw.idempotent_requests.update_one({}, ended)
    # The database deletes it within a minute; until then, it counts as deleted.
    again = await people.post(f"{MODELS}/bulk/state", "ann", body | {"is_active": True}, once="k")
    assert (again.status_code, again.json()["counts"]["changed"]) == (200, 1)
    assert raw.idempotent_requests.count_documents({"user_id": "ann"}) == 1
    assert (await people.post("/api/users/delete", "root", {"id": "ann"})).status_code == 200
    assert raw.idempotent_requests.count_documents({}) == 0


async def test_nobody_has_more_keys_than_allowed(people: Directory, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_KEYS", 2)
    answers = [await people.post(CREATE, "ann", {"id": f"n{n}", "name": "N"}, once=f"k{n}") for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 86_000 < int(answers[2].headers["retry-after"]) <= 86_400
    assert raw.idempotent_requests.count_documents({}) == raw.models.count_documents({}) - 1 == 2
    # Those that count go on counting, others have keys of their own, and without a key all is as ever.
    assert (await people.post(CREATE, "ann", {"id": "n0", "name": "N"}, once="k0")).status_code == 200
    assert (await people.post(CREATE, "bob", {"id": "b", "name": "B"}, once="k2")).status_code == 200
    assert (await people.post(CREATE, "ann", {"id": "n2", "name": "N"})).status_code == 200


@pytest.mark.parametrize("limit", ["MAX_ANSWER_BYTES", "MAX_KEPT_BYTES"])
async def test_an_answer_that_is_too_large_is_not_kept_but_the_request_is_not_done_again(
    people: Directory, raw: Raw, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(store, limit, 100)
    body = {"id": "n", "name": "N"}
    first = await people.post(CREATE, "ann", body, once="k")
    assert first.status_code == 200
    again = await people.post(CREATE, "ann", body, once="k")
    assert (again.status_code, "was done before" in again.json()["detail"]) == (409, True)
    assert "too large" in again.json()["detail"]
    assert raw.idempotent_requests.find_one({}, {"_id": 0, "answer": 1}) == {"answer": None}


async def test_what_is_stored_names_neither_the_key_nor_the_answer_in_the_clear(people: Directory, raw: Raw) -> None:
    await people.post(CREATE, "ann", {**MODEL, "id": "n"}, once="the-key-itself")
    [kept] = raw.idempotent_requests.find()
    assert kept["user_id"] == "ann"
    assert not any(secret in repr(kept) for secret in ("the-key-itself", "secret prompt"))


async def test_looking_for_a_users_keys_reads_their_index_only(people: Directory, raw: Raw, commands: Commands) -> None:
    for number in range(3):
        await people.post(CREATE, "ann", {"id": f"n{number}", "name": "N"}, once=f"k{number}")
    sent = [command for name, command in commands.on("idempotent_requests") if name == "aggregate"][-1]
    asked = {name: sent[name] for name in ("aggregate", "pipeline", "cursor", "hint")}
    plan = raw.command("explain", asked, verbosity="executionStats")
    examined = plan["executionStats"]
    assert (examined["totalKeysExamined"], examined["totalDocsExamined"]) == (3, 0)
    ended = raw.idempotent_requests.index_information()["ended"]
    assert (ended["key"], ended["expireAfterSeconds"]) == ([("expires_at", 1)], 0)


async def test_a_key_that_vanishes_with_its_user_is_no_defect(
    people: Directory, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_room = store._require_room

    async def vanished(database: Database, claim: store.Claim) -> None:
        raw.idempotent_requests.delete_many({})
        await require_room(database, claim)

    monkeypatch.setattr(store, "_require_room", vanished)
    assert (await people.post(CREATE, "ann", {"id": "n", "name": "N"}, once="k")).status_code == 409


async def test_an_answer_about_what_an_import_left_as_it_is_counts_too(people: Directory) -> None:
    async def share(*grants: dict[str, str]) -> None:
        shared = {"id": "m", "access_grants": [*grants]}
        assert (await people.post(f"{MODELS}/model/access/update", "ann", shared)).status_code == 200

    async def sent() -> httpx.Response:
        file = {"models": [{"id": "m", "name": "Other", "access_grants": [grant("user:bob", "write")]}]}
        how = {"format": "modeldeck", "atomic": "false", "on_conflict": "fail"}
        return await people.post(f"{MODELS}/import", "bob", file, once="k", **how)

    await share(grant("user:bob", "write"))
    first = await sent()
    assert (first.status_code, first.json()["steps"][0]["outcome"]) == (200, "conflict")
    assert (await sent()).content == first.content
    await share()
    assert (await sent()).status_code == 409
