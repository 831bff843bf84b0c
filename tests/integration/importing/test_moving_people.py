"""Importing models of users whose ids differ here, and of groups that only grants name."""

from pathlib import Path

import pytest

from documents.user import Role
from service.importing import user_map
from tests.support.commands import CommandLine
from tests.support.directory import Directory, grant, model
from tests.support.import_samples import IMPORTABLE, NAMED, OLD_KEY, Raw, ask, dump, imported, write_source
from tests.support.openwebui_databases import make_database


@pytest.mark.parametrize("atomic", [True, False])
async def test_users_of_elsewhere_become_users_of_here(
    directory: Directory, raw: Raw, tmp_path: Path, atomic: bool
) -> None:
    for user in ("ann-here", "ben-here"):
        await directory.user(user)
    more = "INSERT INTO access_grant VALUES ('a5', 'model', 'm', 'user', 'ann', 'read', 1);"
    path = make_database(tmp_path / "webui.db", *IMPORTABLE, more)
    mapped = {"ann": "ann-here", "ben": "ben-here"}
    async with imported(directory, path, user_map=mapped, atomic=atomic) as report:
        assert report.clean, list(report.faults())
        assert "user" not in report.summary()
    assert sorted(raw["users"].distinct("_id")) == ["ann-here", "ben-here"]
    assert raw["users"].distinct("_id", {"group_ids": "team"}) == ["ann-here", "ben-here"]
    found = raw["models"].find_one({"_id": "m"}) or {}
    assert found["user_id"] == "ben-here"
    principals = {(given["principal_id"], given["permission"]) for given in found["access_grants"]}
    assert principals == {("team", "write"), ("ann-here", "read")}
    assert (await ask(directory, OLD_KEY, "/api/me")).json()["id"] == "ben-here"
    revisions = raw["revisions"].find({"model_id": "m"}).sort("version")
    assert [revision["by"] for revision in revisions] == ["ann-here", "ben-here", "ben-here", None]
    async with imported(directory, path, user_map=mapped) as report:
        assert report.changes == 0


async def test_two_users_of_elsewhere_can_be_one_here(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    await directory.user("one")
    grants = [grant("user:ann"), grant("user:ben"), grant("user:ben", "write")]
    groups = [{"id": "g", "name": "G", "member_ids": ["ann", "ben"]}]
    path = write_source(tmp_path, {"groups": groups, "models": [model("m", "ann", access_grants=grants)]})
    async with imported(directory, path, user_map={"ann": "one", "ben": "one"}) as report:
        assert report.clean, list(report.faults())
    found = raw["models"].find_one({"_id": "m"}) or {}
    assert [(given["principal_id"], given["permission"]) for given in found["access_grants"]] == [
        ("one", "read"),
        ("one", "write"),
    ]
    assert raw["users"].distinct("_id", {"group_ids": "g"}) == ["one"]


def test_the_command_reads_who_is_who_and_names_the_lines_that_are_wrong(
    shell: CommandLine, store: Raw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.ok("user", "add", "--id", "ben-here", "--email", "ben@here.org", "--name", "Ben")
    make_database(tmp_path / "webui.db", *IMPORTABLE)
    before = dump(store)
    (tmp_path / "bad.csv").write_text("from,to\nben,ben@here.org\nann,nobody@here.org\nben,ben-here\nonly\n")
    done = shell.run("import", "webui.db", "--map-users", "bad.csv")
    assert (done.status, done.stdout) == (2, "")
    assert [f"line {number}: " in done.stderr for number in range(1, 6)] == [False, False, True, True, True]
    with monkeypatch.context() as few:
        few.setattr(user_map, "MAX_LINES", 4)
        done = shell.run("import", "webui.db", "--map-users", "bad.csv")
        assert (done.status, done.stderr) == (2, "modeldeck: line 5: a map may have at most 4 lines\n")
    assert dump(store) == before

    (tmp_path / "good.csv").write_text("\ufefffrom,to\r\nben,BEN@here.org\r\n\r\n", encoding="utf-8")
    assert "users: 1 created" in shell.ok("import", "webui.db", "--map-users", "good.csv")
    assert sorted(store["users"].distinct("_id")) == ["ann", "ben-here"]
    assert store["models"].distinct("user_id", {"_id": "m"}) == ["ben-here"]


async def test_notes_on_the_source_are_reported_although_the_first_user_is_mapped(
    directory: Directory, tmp_path: Path
) -> None:
    await directory.user("here")
    path = make_database(tmp_path / "webui.db", *IMPORTABLE, 'ALTER TABLE "user" ADD COLUMN bio TEXT')
    async with imported(directory, path, user_map={"ann": "here"}) as report:
        assert "columns left out: bio" in "".join(result.reason for result in report.reported())


# --- Groups that are only named


def test_groups_that_only_grants_name_are_made_when_asked_for(shell: CommandLine, store: Raw, tmp_path: Path) -> None:
    shell.ok("user", "add", "--id", "ann", "--email", "ann@x.org", "--name", "Ann")
    shell.ok("group", "add", "--id", "h", "--name", "A better name")
    write_source(tmp_path, NAMED)
    plan = shell.ok("import", "source.json", "--create-groups", "--dry-run")
    assert "created models[0] group 'g': named by a grant" in plan
    assert store["groups"].distinct("_id") == ["h"]
    kept_out = shell.run("import", "source.json", "--dry-run")
    assert (kept_out.status, "there is no group 'g'" in kept_out.stdout) == (1, True)

    assert shell.ok("import", "source.json", "--create-groups").endswith(
        "groups: 1 created\nmodels: 1 created\n2 changes"
    )
    assert {group["_id"]: group["name"] for group in store["groups"].find()} == {"g": "g", "h": "A better name"}
    [found] = store["models"].find()
    assert [given["principal_id"] for given in found["access_grants"]] == ["g", "h"]


@pytest.mark.parametrize("atomic", [True, False])
async def test_a_group_that_is_here_stays_as_it_is_when_it_is_named(
    directory: Directory, raw: Raw, tmp_path: Path, atomic: bool
) -> None:
    await directory.user("root")
    await directory.group("all")
    await directory.group("beta", parent="all")
    before = list(raw["groups"].find())
    entry = {"model_name": "x", "litellm_params": {"model": "openai/x"}, "model_info": {"access_groups": ["beta"]}}
    path = write_source(tmp_path, {"model_list": [entry]})
    async with imported(directory, path, owner_id="root", create_groups=True, atomic=atomic) as report:
        assert (report.clean, report.changes) == (True, 1)
    assert list(raw["groups"].find()) == before


# --- Users who are here already


async def test_a_role_or_state_that_a_bundle_does_not_tell_stays_as_it_is(
    directory: Directory, raw: Raw, tmp_path: Path
) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("off")
    raw["users"].update_one({"_id": "off"}, {"$set": {"is_active": False}})
    users = [{"id": user, "name": f"New name of {user}", "email": f"{user}@example.com"} for user in ("root", "off")]
    async with imported(directory, write_source(tmp_path, {"users": users})) as report:
        assert {result.fields for result in report.results()} <= {("name",)}
        assert (report.clean, report.changes) == (True, 2)
    root, off = raw["users"].find_one({"_id": "root"}) or {}, raw["users"].find_one({"_id": "off"}) or {}
    assert (root["name"], root["role"]) == ("New name of root", "admin")
    assert (off["role"], off["is_active"]) == ("user", False)
