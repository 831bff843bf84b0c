"""Origins of models that no import can use: `modeldeck doctor` names them, and a repair removes them."""

from typing import Any

import pytest

from tests.support.import_samples import Raw
from tests.support.keeping import UPDATE
from tests.support.raw_database import UnvalidatedDatabase
from tests.support.team import Team

DRAFT = "HNZYZoF1jfC7WHIQ.b02dBNXu.b02dBNXu"
CHANGED = {"fast": "Changed there", "slow": "Slower"}


@pytest.fixture
def unvalidated(raw: Raw) -> Any:
    return UnvalidatedDatabase(raw.client, raw.name)


def _say(team: Team, **names: str) -> None:
    for model_id, name in names.items():
        team.entries[model_id] = {**team.entries[model_id], "name": name}


@pytest.mark.parametrize("digest", ["x", DRAFT, "!"], ids=["no digest", "of a draft", "no text"])
async def test_a_digest_of_no_known_form_is_reported_and_can_be_removed(team: Team, digest: str) -> None:
    team.keep()
    team.raw["models"].update_one({"_id": "fast"}, {"$set": {"origin.digest": digest}})
    done = team.shell.run("doctor", "--repair")
    assert (done.status, done.stdout.splitlines()[:2]) == (
        0,
        [
            "model 'fast' has an origin that can't be read, so that no import can merge it",
            "origins that can't be read: 1, 1 repaired",
        ],
    )
    assert "origin" not in team.stored("fast")
    assert team.stored("slow")["origin"]["source"] == "prod"
    assert team.shell.ok("doctor").endswith(" 0 problems")
    assert team.keep()[:2] == (0, "0 changes")
    assert team.stored("fast")["origin"]["source"] == "prod"


@pytest.mark.parametrize("origin", ["text", {"source": "prod"}, {"source": 1, "key": "fast", "digest": "x", "at": 1}])
async def test_what_is_no_origin_at_all_is_removed_too(team: Team, unvalidated: Any, origin: Any) -> None:
    team.keep()
    unvalidated.models.update_one({"_id": "fast"}, {"$set": {"origin": origin}})
    assert "origins that can't be read: 1, 1 repaired" in team.shell.run("doctor", "--repair").stdout
    assert team.shell.ok("doctor").endswith(" 0 problems")


@pytest.mark.parametrize("digest", ["x", DRAFT])
async def test_an_import_can_set_right_what_it_can_not_read(team: Team, digest: str) -> None:
    team.keep()
    await team.by_hand(UPDATE, {"id": "fast", "name": "Ours"})
    _say(team, **CHANGED)
    runs: list[tuple[list[str], str]] = [
        ([], "conflict"),
        (["--adopt"], "updated"),
        (["--on-conflict", "update"], "updated"),
    ]
    for options, outcome in runs:
        team.raw["models"].update_one({"_id": "fast"}, {"$set": {"origin.digest": digest}})
        _, _, lines = team.keep(*options)
        assert lines[0].startswith(f"{outcome} models[0] model 'fast': "), lines
        assert (team.stored("fast")["name"] == "Ours") == (outcome == "conflict")
        if outcome == "updated":
            assert team.stored("fast")["origin"]["digest"] != digest
            await team.by_hand(UPDATE, {"id": "fast", "name": "Ours"})
    # What is gone is not deleted on the word of an origin that says nothing.
    team.raw["models"].update_one({"_id": "fast"}, {"$set": {"origin.digest": digest}})
    del team.entries["fast"]
    gone = "conflict source prod model 'fast': is gone from the source, but "
    for options in (["--prune"], ["--prune", "--delete", "--max-deletions", "100%"]):
        status, last, lines = team.keep(*options)
        assert (status, last, lines[-1].startswith(gone)) == (1, "0 changes", True)
    assert team.keep("--prune", "--on-conflict", "update")[:2] == (0, "1 changes")
    assert team.stored("fast")["is_active"] is False


@pytest.mark.parametrize("key", ["fast", "elsewhere"])
async def test_an_origin_of_several_models_is_named_and_left_to_one(team: Team, key: str) -> None:
    team.keep()
    models = team.raw["models"]
    models.drop_index("origin")
    models.update_many({}, {"$set": {"origin.key": key}})
    models.insert_one({**team.stored("slow"), "_id": "a-copy"})
    assert team.shell.run("indexes", "ensure").status == 2
    named = [
        f"3 models have the origin {key!r} of the source 'prod': 'a-copy', 'fast', 'slow'",
        "origins of several models: 1",
    ]
    assert team.shell.run("doctor").stdout.splitlines()[:2] == named
    done = team.shell.run("doctor", "--repair")
    assert (done.status, done.stdout.splitlines()[1]) == (0, f"{named[1]}, 1 repaired"), done.stdout
    assert models.distinct("_id", {"origin": {"$exists": True}}) == ["fast" if key == "fast" else "a-copy"]
    team.shell.ok("indexes", "ensure")
    assert "origin" in models.index_information()
