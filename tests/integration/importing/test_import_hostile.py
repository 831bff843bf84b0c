"""Malicious sources over HTTP: values that can't be encoded, are nested too deeply, too large or too many."""

import asyncio
import gzip
import json
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from documents.user import Role
from service.database.client import Database
from service.http.json_body import MAX_BODY_BYTES
from service.importing import ImportOptions
from service.importing.engine import run_import
from service.importing.records import MAX_GRANTS, MAX_RECORD_VALUES
from service.importing.sent_file import MAX_VALUE_CHARACTERS
from service.importing.source import Item
from service.importing.writers import users
from tests.integration.importing.test_import_sent import send
from tests.support.directory import Directory, model

DEEP = "[" * 970 + "]" * 970
UNWRITABLE = {
    "id": r'{"models": [{"id": "a\ud800", "name": "A"}]}',
    "id of a line": r'{"kind": "model", "id": "\udfff", "name": "A"}',
    "id of an export": r'[{"id": "\ud800", "name": "A", "access_control": null}]',
    "part": r'{"models": [], "\ud800": 1}',
    "part that stands twice": r'{"models": [], "\ud800": 1, "\ud800": 1}',
    "name of a field": r'{"models": [{"id": "a", "name": "A", "\ud800": 1}]}',
    "member": r'{"groups": [{"id": "g", "name": "G", "member_ids": ["\ud800", "a\u0000"]}]}',
    "members beyond what can be asked": json.dumps(
        {"groups": [{"id": "g", "name": "G", "member_ids": [f"{at:03}{'x' * 20_000}" for at in range(999)]}]}
    ),
    "deep id": f'{{"models": [{{"id": {DEEP}, "name": "A"}}]}}',
    "deep id of an export": f'[{{"id": {DEEP}, "name": "A", "access_control": null}}]',
}

# More than is read at a time.
FEWER_CHARACTERS = 1 << 19


@pytest.mark.parametrize("content", UNWRITABLE.values(), ids=UNWRITABLE)
async def test_what_cant_be_written_or_walked_is_named_all_the_same(directory: Directory, content: str) -> None:
    await directory.user("root", role=Role.ADMIN)
    assert (await send(directory, "root", content)).status_code == 422
    for options in ({"dry_run": True}, {"atomic": False}):
        answer = await send(directory, "root", content, **options)
        assert answer.status_code == 422 or (answer.status_code, answer.json()["clean"]) == (200, False), answer.text


async def test_an_import_does_not_restore_access_that_was_revoked_meanwhile(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for admin in ("root", "mal"):
        await directory.user(admin, role=Role.ADMIN)

    async def meanwhile(*_: Any) -> None:
        # Called after the decision what to write, and before anything is written.
        demoted = await directory.post("/api/users/update", "root", {"id": "mal", "role": "user"})
        assert demoted.status_code == 200, demoted.text

    monkeypatch.setattr(users, "clear_leftovers", meanwhile)
    user = {"id": "mal", "name": "Renamed", "email": "mal@example.com", "role": "admin"}
    assert (await send(directory, "root", {"users": [user]}, atomic=False)).status_code == 200
    listed = (await directory.get("/api/users", "root")).json()["items"]
    assert {one["id"]: (one["name"], one["role"]) for one in listed}["mal"] == ("Renamed", "user")


def model_with(params: str) -> bytes:
    return f'{{"models": [{{"id": "m", "name": "M", "params": {{"a": {params}}}}}]}}'.encode()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("packed", [True, False])
async def test_no_single_value_fills_the_memory(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    # A decoded list of empty lists takes twenty times the memory of its text.
    await directory.user("ann")

    async def is_refused(content: bytes, limit: int) -> None:
        answer = await send(directory, "ann", gzip.compress(content) if packed else content)
        assert answer.status_code == 422
        assert any(words in answer.text for words in (f"more than {limit:,} characters", f"longer than {limit:,}"))

    text = b'{"kind": "model", "id": "m", "name": "M"}\n{"kind": "' + b"x" * MAX_VALUE_CHARACTERS + b'"}'
    await is_refused(text, 4_194_304)
    # A smaller limit, since decoding so many parts takes seconds.
    monkeypatch.setattr("service.importing.sent_file.MAX_VALUE_CHARACTERS", FEWER_CHARACTERS)
    await is_refused(model_with(f"[{'[],' * (FEWER_CHARACTERS // 2)}1]"), FEWER_CHARACTERS)
    await is_refused(
        b'{"users": [], "groups": [], "unknown": [' + b"{}," * (FEWER_CHARACTERS // 2) + b"1]}", FEWER_CHARACTERS
    )


@pytest.mark.parametrize(
    ("bound", "content", "message"),
    [
        ("MAX_RECORDS", b'{"models": [' + b"{}," * 10 + b"{}]}", "more than 10 records"),
        ("MAX_VALUES", b'{"models": [{"id": "m", "name": "M", "params": {"a": [1,1,1,1,1,1,1]}}]}', "10 values"),
        ("MAX_YAML_VALUES", b"model_list: [[],[],[],[],[],[],[],[],[]]", "at most 10 are allowed"),
    ],
)
async def test_a_file_has_bounds_in_number_too(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, bound: str, content: bytes, message: str
) -> None:
    await directory.user("ann")
    monkeypatch.setattr(f"service.importing.sent_file.{bound}", 10)
    answer = await send(directory, "ann", content)
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["body"])
    assert message in answer.json()["detail"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"access_grants": [{}] * (MAX_GRANTS + 1)}, "access_grants: List should have at most 6000 items"),
        ({"params": {"a": [1] * MAX_RECORD_VALUES}}, "has more than 200,000 values"),
    ],
)
async def test_a_record_that_can_not_be_stored_is_refused_unread(
    directory: Directory, fields: dict[str, Any], message: str
) -> None:
    await directory.user("ann")
    answer = await send(directory, "ann", {"models": [{"id": "m", "name": "M", **fields}]}, format="modeldeck")
    assert message in answer.json()["detail"]


async def test_a_file_of_very_many_bad_records_is_not_read_on(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await directory.user("ann")
    monkeypatch.setattr("service.importing.sent_file.MAX_STEPS", 2)
    for atomic in (True, False):
        answer = await send(directory, "ann", {"models": [{}] * 5}, format="modeldeck", atomic=atomic)
        assert answer.status_code == 422
        assert "models[2]: more than 2 records can't be imported" in answer.json()["detail"]


async def test_of_very_many_results_the_first_are_kept_and_the_others_counted(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await directory.user("ann")
    monkeypatch.setattr("service.importing.sent_file.MAX_STEPS", 2)
    prices = {f"m{at}": {"api_key": "x", "mode": "chat", "litellm_provider": "p"} for at in range(5)}
    answer = (await send(directory, "ann", prices, mine=True)).json()
    assert ([step["outcome"] for step in answer["steps"]], answer["left_out"]) == (["note", "note"], 3)
    # The faults behind the notes are found all the same.
    refused = await send(directory, "ann", {**prices, "bad id": {"mode": "chat"}}, format="litellm-prices", mine=True)
    assert [error["loc"] for error in refused.json()["errors"]] == [["body", "entry 6"]]


async def test_only_an_image_that_is_too_large_is_left_out(directory: Directory) -> None:
    await directory.user("ann")
    image = "data:image/png;base64," + "A" * (MAX_VALUE_CHARACTERS - 1000)
    models = [{"id": "m", "name": "M", "meta": {"profile_image_url": image}}, {"id": "n", "name": "N"}]
    answer = await send(directory, "ann", {"models": models}, atomic=False)
    assert (answer.json()["changes"], answer.json()["kept_out"]) == (2, 1)


async def test_the_limit_of_a_configuration_applies_when_it_is_decompressed(directory: Directory) -> None:
    await directory.user("ann")
    entry = b"- {model_name: a, litellm_params: {model: b}}\n"
    packed = gzip.compress(b"model_list:\n" + entry * (MAX_BODY_BYTES // len(entry) + 1))
    assert (await send(directory, "ann", packed)).status_code == 413


async def longest_wait(directory: Directory, content: bytes, **options: Any) -> float:
    """Import a source; return the longest time in seconds for which the event loop ran nothing else."""
    # Measured by the CPU clock of the thread, which does not advance while other processes run.
    longest, last = 0.0, time.thread_time()

    async def watch() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0.001)
            longest, last = max(longest, time.thread_time() - last), time.thread_time()

    watching = asyncio.create_task(watch())
    await send(directory, "ann", content, **options)
    watching.cancel()
    return longest


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (model_with(f"[{'1,' * 300_000}1]"), {}),
        (b'{"models": [{"id": [' + b"1," * 300_000 + b'1], "name": "M"}]}', {"dry_run": True}),
        (b'{"models": [' + b"1," * 20_000 + b"1]}", {}),
    ],
    ids=["a large value", "a large id", "many faults"],
)
async def test_other_requests_are_answered_meanwhile(
    directory: Directory, content: bytes, options: dict[str, Any]
) -> None:
    # In one piece, each took seconds; the limit allows for a slow machine.
    await directory.user("ann")
    assert await longest_wait(directory, content, **options) < 0.4


async def test_a_response_lists_some_of_many_faults(directory: Directory) -> None:
    await directory.user("ann")
    answer = (await send(directory, "ann", {"models": [{"id": 1}] * 5000})).json()
    assert (len(answer["errors"]), answer["detail"].endswith("; and more")) == (100, True)


async def test_nothing_is_written_any_more_when_an_import_has_failed(mongod: Database) -> None:
    passes = count(1)

    def items() -> Iterator[Item]:
        last = next(passes) == 2
        for at in range(1500):
            yield Item("model", f"models[{at}]", model(f"m{at}", "ann"))
        if last:
            raise RuntimeError

    before = asyncio.all_tasks()
    with pytest.raises(RuntimeError):
        await run_import(mongod, items, ImportOptions())
    assert asyncio.all_tasks() <= before
