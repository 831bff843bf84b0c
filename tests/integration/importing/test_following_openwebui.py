"""People of an Open WebUI that goes on: they come over again and again, without its models, and their tokens count."""

from pathlib import Path
from typing import Any

import jwt
from pydantic import SecretStr

from service.database.client import Database
from service.settings import Settings
from tests.support.commands import CommandLine
from tests.support.directory import Directory
from tests.support.import_samples import Raw, imported
from tests.support.openwebui_databases import LATE, make_database
from tests.support.tokens import claims

SECRET = "s" * 32
STAMPED = "ALTER TABLE auth ADD COLUMN session_stamp TEXT; UPDATE auth SET session_stamp = 'one' WHERE id = 'ann';"


def test_only_people_come_over(shell: CommandLine, store: Raw, tmp_path: Path) -> None:
    path = make_database(tmp_path / "webui.db", LATE, STAMPED)
    assert "models" not in shell.ok("import", "webui.db", "--only-people")
    assert sorted(store["users"].distinct("_id")) == ["ann", "ben"]
    assert store["users"].distinct("_id", {"group_ids": "team"}) == ["ann", "ben"]
    assert (store["models"].count_documents({}), store["revisions"].count_documents({})) == (0, 0)
    assert store["api_keys"].count_documents({"user_id": "ben"}) == 1
    make_database(path, "INSERT INTO \"user\" VALUES ('new', 'New', 'new@x.org', 'user', NULL);")
    assert shell.ok("import", "webui.db", "--only-people").splitlines()[-1] == "1 changes"
    assert shell.ok("import", "webui.db", "--only-people").splitlines()[-1] == "0 changes"
    refused = shell.run("import", "webui.db", "--only-people", "--source", "webui")
    assert (refused.status, "--only-people" in refused.stderr) == (2, True)


async def test_tokens_from_before_a_password_was_changed_end_with_the_next_import(
    mongod: Database, settings: Settings, tmp_path: Path
) -> None:
    changes = {"jwt_secret": SecretStr(SECRET), "jwt_user_claim": "id"}
    path = make_database(tmp_path / "webui.db", LATE, STAMPED)
    async with Directory.on(mongod, settings.model_copy(update=changes)) as directory:

        async def status(user: str, **more: Any) -> int:
            token = jwt.encode({**claims(sub=None), "id": user, **more}, SECRET)
            answer = await directory.client.get("/api/me", headers={"Authorization": f"Bearer {token}"})
            return answer.status_code

        async with imported(directory, path, only_people=True) as report:
            assert report.clean, list(report.faults())
        # The claim of a token that has one counts, also null; ben never had a stamp.
        expected = {("ann", "one"): 200, ("ann", "two"): 401, ("ann", None): 401, ("ben", "x"): 200, ("ben", None): 200}
        for (user, stamp), answered in expected.items():
            assert await status(user, session_stamp=stamp) == answered, (user, stamp)
        assert await status("ann") == 200
        make_database(path, "UPDATE auth SET session_stamp = 'two';")
        async with imported(directory, path, only_people=True) as report:
            assert report.changes == 1
        assert [await status("ann", session_stamp=stamp) for stamp in ("one", "two")] == [401, 200]
        # What does not know of stamps leaves them as they are.
        await directory.load({"users": [{"id": "ann", "name": "Ann", "email": "ann@x.org", "role": "admin"}]}, tmp_path)
        assert await status("ann", session_stamp="one") == 401


async def test_tokens_without_an_end_are_a_matter_of_settings(mongod: Database, settings: Settings) -> None:
    changes = {"jwt_secret": SecretStr(SECRET), "jwt_user_claim": "id"}
    headers = {"Authorization": f"Bearer {jwt.encode({'id': 'ann'}, SECRET)}"}
    for more, status in ({}, 401), ({"jwt_without_expiry": True}, 200):
        async with Directory.on(mongod, settings.model_copy(update={**changes, **more})) as directory:
            if status == 401:
                await directory.user("ann")
            assert (await directory.client.get("/api/me", headers=headers)).status_code == status
            ended = jwt.encode({"id": "ann", "exp": 1}, SECRET)
            answer = await directory.client.get("/api/me", headers={"Authorization": f"Bearer {ended}"})
            assert answer.status_code == 401
