"""Changing, sharing and restoring models through forms, with the rights of the API."""

from pathlib import Path

import pytest

from documents import User
from documents.api_key import Scope
from tests.support.directory import Directory, grant, model
from tests.support.page import Browser, browser

MODEL = "/api/models/model"


@pytest.fixture
async def filled(directory: Directory, tmp_path: Path) -> Directory:
    """A model of ann's that ben may change and cleo may read."""
    await directory.group("team")
    for user in ("ann", "ben", "cleo", "dora"):
        await directory.user(user, groups=["team"] if user == "cleo" else [])
    shared = [grant("user:ben", "write"), grant("group:team")]
    meta = {"description": "First\r\nline", "tags": [{"name": "a,b", "colour": "red"}], "kept": {"x": 1}}
    params = {"system": "One.", "temperature": 0.5}
    await directory.load({"models": [model("m", "ann", meta=meta, params=params, access_grants=shared)]}, tmp_path)
    return directory


FORM = {
    "id": "m",
    "version": "1",
    "name": "Name of m",
    "description": "First\nline",
    "tags": "a,b",
    "base_model_id": "",
    "system": "One.",
}


async def _stored(directory: Directory) -> dict[str, object]:
    found: dict[str, object] = (await directory.get(MODEL, "ann", id="m")).json()
    return found


async def test_what_is_not_changed_stays_exactly_as_it_is(filled: Directory) -> None:
    before = await _stored(filled)
    async with browser(filled, "ben") as opened:
        answer = await opened.send("/model/edit/save", **FORM)
        assert answer.headers["location"] == "/model?id=m&done=same"
        assert await _stored(filled) == before
        answer = await opened.send("/model/edit/save", **{**FORM, "tags": "a,b\r\nnew", "system": "Two."})
        assert answer.headers["location"] == "/model?id=m&done=saved"
    after = await _stored(filled)
    assert after["params"] == {"system": "Two.", "temperature": 0.5}
    meta = before["meta"]
    assert isinstance(meta, dict)
    assert after["meta"] == {**meta, "tags": [{"name": "a,b", "colour": "red"}, {"name": "new"}]}


@pytest.mark.parametrize(
    ("field", "value"), [("name", " "), ("name", "x" * 513), ("tags", "t" * 513), ("base_model_id", "b" * 300)]
)
async def test_what_the_api_refuses_is_said_at_the_field_and_nothing_is_lost(
    filled: Directory, field: str, value: str
) -> None:
    before = await _stored(filled)
    async with browser(filled, "ann") as opened:
        answer = await opened.send("/model/edit/save", **{**FORM, "system": "Typed.", field: value})
        assert answer.status_code == 422
        assert ("Typed." in answer.text, answer.text.count('aria-invalid="true"')) == (True, 1)
    assert await _stored(filled) == before


async def test_who_is_slower_gets_both(filled: Directory) -> None:
    async with browser(filled, "ann") as slow, browser(filled, "ben") as fast:
        await fast.send("/model/edit/save", **{**FORM, "system": "Theirs.", "name": "Also theirs"})
        answer = await slow.send("/model/edit/save", **{**FORM, "system": "Mine.", "tags": "mine"})
        assert answer.status_code == 412
        for shown in ("Mine.", "Theirs.", "Name of ben wrote", 'value="Also theirs"', 'name="version" value="2"'):
            assert shown in answer.text
        answer = await slow.send("/model/edit/save", **{**FORM, "system": "Mine.", "version": "2"})
        assert answer.headers["location"] == "/model?id=m&done=saved"
        history = await slow.get("/model/history", id="m", earlier=2, later=3)
        assert "What changed" in history.text


@pytest.mark.parametrize(("user", "status"), [("cleo", 403), ("dora", 404)])
async def test_nobody_else_may(filled: Directory, user: str, status: int) -> None:
    before = await _stored(filled)
    async with browser(filled, user) as opened:
        for path in ("/model/edit", "/model/history", "/model/sharing"):
            assert (await opened.get(path, id="m")).status_code == status
        sent = {**FORM, "system": "x", "active": "no", "revision": "0" * 32, "principal": user, "permission": "write"}
        for path in ("edit/save", "state", "sharing/add", "sharing/set"):
            fields = {**sent, "kind": "user", "principal_id": user}
            assert (await opened.send(f"/model/{path}", **fields)).status_code == status, path
        assert (await opened.send("/model/restore", **sent)).status_code == 404
    assert await _stored(filled) == before


async def test_a_writer_may_not_share(filled: Directory) -> None:
    async with browser(filled, "ben") as opened:
        assert (await opened.get("/model/sharing", id="m")).status_code == 403
        fields = {"id": "m", "version": "1", "kind": "user", "principal_id": "dora", "permission": "read"}
        assert (await opened.send("/model/sharing/set", **fields)).status_code == 403


async def test_a_key_for_reading_only_changes_nothing(filled: Directory) -> None:
    before = await _stored(filled)
    async with browser(filled, "ann", scope=Scope.READ) as opened:
        for path in ("edit/save", "state", "sharing/add", "sharing/set", "restore"):
            answer = await opened.send(f"/model/{path}", **{**FORM, "system": "x"})
            assert (answer.status_code, "for reading only" in answer.text) == (403, True), path
        assert (await opened.send("/me/keys/create", name="k", scope="read", lifetime="")).status_code == 403
        assert "Deactivate" not in (await opened.get("/model", id="m")).text
    assert await _stored(filled) == before


async def _add(opened: Browser, version: int, principal: str, permission: str = "read") -> tuple[int, str]:
    fields = {"id": "m", "version": str(version), "principal": principal, "permission": permission}
    answer = await opened.send("/model/sharing/add", **fields)
    return answer.status_code, answer.headers.get("location") or answer.text


async def test_sharing_by_id_by_name_and_with_everyone(filled: Directory) -> None:
    await filled.group("g-other")
    await filled.user("root", role="admin")  # type: ignore[arg-type]
    async with browser(filled, "ann") as opened, browser(filled, "root") as admin:
        # An owner names others by id, and an admin by name.
        assert (await _add(opened, 1, "dora"))[0] == 303
        assert (await _add(opened, 2, "Group g-other"))[0] == 422
        assert (await _add(admin, 2, "group G-OTHER", "write"))[0] == 303
        assert (await _add(opened, 3, "everyone"))[0] == 303
        # A part of a name never shares it at once, least of all with everyone.
        status, shown = await _add(admin, 4, "every")
        assert (status, "Whom do you mean?" in shown) == (422, True)
        status, shown = await _add(admin, 4, "name of")
        assert (status, "Whom do you mean?" in shown, "Name of cleo" in shown) == (422, True, True)
        status, shown = await _add(opened, 3, "dora")
        assert (status, "Name of ann has changed" in shown) == (412, True)
        fields = {"id": "m", "version": "4", "kind": "group", "principal_id": "g-other", "permission": "none"}
        assert (await opened.send("/model/sharing/set", **fields)).status_code == 303
    grants = (await _stored(filled))["access_grants"]
    assert isinstance(grants, list)
    assert {(one["principal_id"], one["permission"]) for one in grants} == {
        *(("ben", "write"), ("team", "read"), ("dora", "read"), ("*", "read"))
    }


async def test_an_address_says_only_what_is_true_of_sharing(filled: Directory) -> None:
    async with browser(filled, "ann") as opened:
        for done, whom, said in (
            ("read", "team", "may read it now."),
            ("write", "team", None),
            ("none", "dora", "The grant is gone."),
            ("none", "team", None),
            ("is stolen", "team", None),
        ):
            shown = (await opened.get("/model/sharing", id="m", done=done, whom=whom)).text
            assert ("notice good" in shown, "is stolen" in shown) == (said is not None, False)
            assert said is None or said in shown


async def test_suggestions_tell_of_nobody_new(filled: Directory) -> None:
    await filled.user("root", role="admin")  # type: ignore[arg-type]
    async with browser(filled, "cleo") as reader, browser(filled, "root") as admin, browser(filled, "ann") as owner:
        shown = {one["label"] for one in (await reader.get("/suggestions", text="m")).json()}
        assert shown == {"group team", "user ann", "user cleo"}
        shown = {one["label"] for one in (await admin.get("/suggestions", text="name of")).json()}
        assert shown == {f"user {name}" for name in ("ann", "ben", "cleo", "dora", "root")}
        assert (await reader.get("/suggestions", text="cl", reads="m")).status_code == 403
        assert (await owner.get("/suggestions", text="CLE", reads="m")).json() == [
            {"value": "Name of cleo", "label": "cleo"}
        ]
        # Not even by trying, an owner learns the email address of somebody.
        assert (await owner.get("/suggestions", text="example.com", reads="m")).json() == []


async def test_state_and_restoring(filled: Directory) -> None:
    async with browser(filled, "ben") as opened:
        for active, done in (("no", "inactive"), ("no", "inactive"), ("yes", "active")):
            answer = await opened.send("/model/state", id="m", active=active)
            assert answer.headers["location"] == f"/model?id=m&done={done}"
        await opened.send("/model/edit/save", **{**FORM, "version": "3", "system": "Two."})
        [*_, first] = (await filled.get(f"{MODEL}/history", "ann", id="m")).json()["items"]
        fields = {"id": "m", "revision": first["id"]}
        assert (await opened.send("/model/restore", **fields, version="3")).status_code == 412
        assert (await opened.send("/model/restore", **fields, version="4")).status_code == 303
    assert (await _stored(filled))["params"] == {"system": "One.", "temperature": 0.5}


async def test_a_new_key_is_shown_once(filled: Directory) -> None:
    async with browser(filled, "ann") as opened:
        answer = await opened.send("/me/keys/create", name="script <b>", scope="read", lifetime="30")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        shown = answer.text.partition('id="the-key">')[2].partition("<")[0]
        headers = {"Authorization": f"Bearer {shown}"}
        assert (await filled.client.get("/api/me", headers=headers)).json()["scope"] == "read"
        assert shown not in (await opened.get("/me")).text
        assert (await opened.send("/me/keys/revoke", id=shown.split("_")[1])).status_code == 303
        assert (await filled.client.get("/api/me", headers=headers)).status_code == 401
        assert (await opened.send("/me/keys/create", name="", scope="read", lifetime="30")).status_code == 422


async def test_changes_say_what_and_by_whom_to_those_who_may_change_it(filled: Directory) -> None:
    async with browser(filled, "ann") as writer, browser(filled, "cleo") as reader:
        await writer.send("/model/edit/save", **{**FORM, "name": "Other"})
        shown = (await writer.get("/changes")).text
        assert ("Name of ann" in shown, "changed the name" in shown) == (True, True)
        shown = (await reader.get("/changes")).text
        assert ("Other" in shown, "changed the name" in shown) == (True, False)
        assert "only those who may change it see how" in shown


async def test_a_prompt_is_hidden_from_readers(filled: Directory) -> None:
    async with browser(filled, "cleo") as reader, browser(filled, "ben") as writer:
        for path in ("/model?id=m", "/", "/changes", "/model?id=m&person=ben"):
            assert "One." not in (await reader.get(path)).text
        assert "One." in (await writer.get("/model", id="m")).text


async def test_a_name_of_any_script_leaves_the_sentence_around_it_readable(filled: Directory) -> None:
    await filled.database.update_one(User, {"_id": "ben"}, {"$set": {"name": "\u202eBen"}})
    async with browser(filled, "ann") as opened:
        shown = (await opened.get("/model", id="m", person="ben")).text
    # Not in an element that takes its direction from the name.
    assert '<p class="told">\u2068Ben\u2069 may change it: it is shared with' in shown
