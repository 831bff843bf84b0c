"""Every accepted value is returned exactly by every route; every other one is refused with the name of its field.

With more examples: HOSTILE_EXAMPLES=2000 pytest tests/integration/http/test_exact_values.py
"""

import json
import os
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.importing.test_import_sent import send
from tests.support.directory import LIST, Directory
from tests.support.every_case import repetitions

MODELS = "/api/models"
bounded = settings(
    max_examples=int(os.environ.get("HOSTILE_EXAMPLES", repetitions(6, 10))),
    derandomize=True,
    database=None,
    deadline=None,
    # All examples share one directory; they do not disturb each other, because each has its own id.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
numbers = count()

ODD = ["$set", "$where", "a.b", ".", "$", "", "__proto__", "constructor", "_id", "$ref", "$id", "$numberLong", "\u2028"]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
storable = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
field_names = st.one_of(st.sampled_from(ODD), st.text(storable))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63), 0, -0.0, 1.0, 1e308, 5e-324, 1e22]),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.sampled_from(["\0", "$owner", "$$ROOT", '{"$ne": 1}', "\u202e", "\ufeff", "ﷺ", "2020-01-01T00:00:00Z"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(field_names, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(field_names, values, max_size=6)
NORMAL = {"tags", "profile_image_url"}
metas = objects.map(lambda found: {name: value for name, value in found.items() if name not in NORMAL})
printable = st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"])
ids = st.text(printable, min_size=1, max_size=200)
model_names = st.text(storable, min_size=1, max_size=512).filter(str.strip)
models = st.fixed_dictionaries(
    {
        "id": ids,
        "base_model_id": st.none() | st.text(storable, min_size=1, max_size=256),
        "name": model_names,
        "params": objects,
        "meta": metas,
    }
)
SHOWN_DEFAULTS = {"profile_image_url": "/static/favicon.png", "description": "", "capabilities": {}}


def exact(value: Any) -> str:
    """Return a value as JSON text, so that a comparison covers types and the order of names."""
    return json.dumps(value)


def content_of(item: dict[str, Any]) -> str:
    """Return the content of a model as JSON, whatever the kind of answer."""
    return exact([item[field] for field in ("id", "base_model_id", "name", "params", "meta")])


@pytest.fixture
async def ann(directory: Directory) -> Directory:
    await directory.user("ann")
    return directory


@bounded
@given(sent=models)
async def test_what_is_accepted_comes_back_by_every_way(ann: Directory, sent: dict[str, Any]) -> None:
    params, meta = sent["params"], sent["meta"]
    model_id = f"{sent['id']}{next(numbers)}"
    sent = {**sent, "id": model_id}
    stored = content_of(sent)
    shown = content_of({**sent, "meta": meta | {key: SHOWN_DEFAULTS[key] for key in SHOWN_DEFAULTS if key not in meta}})

    made = await ann.post(f"{MODELS}/create", "ann", sent)
    assert made.status_code == 200, made.text
    whole = (await ann.get(f"{MODELS}/export", "ann", id=model_id, format="modeldeck")).json()
    lines = (await ann.get(f"{MODELS}/export", "ann", id=model_id, format="jsonl")).text.split("\n")
    [revision] = (await ann.get(f"{MODELS}/model/history", "ann", id=model_id)).json()["items"]
    history = (await ann.get(f"{MODELS}/model/history/{revision['id']}", "ann")).json()
    for item in (
        made.json(),
        (await ann.get(f"{MODELS}/model", "ann", id=model_id)).json(),
        *(await ann.get(LIST, "ann")).json()["items"],
        *(await ann.get(f"{MODELS}/export", "ann", id=model_id)).json(),
    ):
        assert content_of(item) == shown
    for item in (*whole["models"], json.loads(lines[0]), {**history["after"], "id": model_id}):
        assert content_of(item) == stored

    # Sending it back unchanged is no change.
    again = {field: made.json()[field] for field in ("id", "base_model_id", "name", "params", "meta")}
    for answer in (
        await ann.post(f"{MODELS}/model/update", "ann", again),
        await ann.post(f"{MODELS}/model/update", "ann", sent),
        await ann.get(f"{MODELS}/model", "ann", id=model_id),
    ):
        assert answer.json()["version"] == 1, answer.text
    assert (await ann.post(f"{MODELS}/import", "ann", {"models": [made.json()]})).json()["counts"]["unchanged"] == 1
    assert (await send(ann, "ann", whole)).json()["changes"] == 0

    # Values that replace it, and values restored from the history, are exact too.
    other = {"id": model_id, "params": {"was": params}, "meta": meta}
    changed = await ann.post(f"{MODELS}/model/update", "ann", other)
    assert exact(changed.json()["params"]) == exact({"was": params})
    restored = await ann.post(f"{MODELS}/model/history/restore", "ann", {"id": model_id, "revision": revision["id"]})
    assert content_of(restored.json()) == shown
    assert (await ann.post(f"{MODELS}/model/delete", "ann", {"id": model_id})).json() is True


any_text = st.one_of(st.text(), st.text(st.characters(categories=["Cs", "Cc", "Zs", "Lu"])), st.just("x" * 600))
anything = st.recursive(
    st.one_of(scalars, any_text, st.integers(), st.floats(), st.sampled_from([2**63, -(2**63) - 1, 10**400])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=6,
)


hostile = st.fixed_dictionaries(
    {"id": any_text, "name": any_text, "base_model_id": anything, "params": anything, "meta": anything}
)


@bounded
@given(body=hostile)
async def test_what_is_not_accepted_is_refused_by_name(ann: Directory, body: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {await ann.key('ann')}"}
    for path in ("create", "model/update"):
        answer = await ann.client.post(f"{MODELS}/{path}", content=json.dumps(body).encode(), headers=headers)
        assert answer.status_code in (200, 404, 409, 422), answer.text
        if answer.status_code == 422:
            assert answer.headers["content-type"] == "application/problem+json"
            assert all(error["loc"][0] == "body" for error in answer.json()["errors"])
            assert {tuple(error["loc"])[1:2] for error in answer.json()["errors"]} <= {
                (),
                *((field,) for field in body),
            }
        if answer.status_code == 200:
            assert exact(answer.json()["params"]) == exact(body["params"])


@pytest.mark.parametrize(
    "body",
    [
        '{"id": "n", "name": "N", "name": "M"}',
        '{"id": "n", "name": "N", "params": {"a": 1, "b": {"c": 1, "\\u0063": 2}}}',
        '{"id": "n", "name": "N", "params": {"\\ud800": 1, "\\ud800": 2}}',
        '{"id": "n", "id": "n", "name": "N"}',
    ],
)
async def test_a_name_that_stands_twice_is_refused(ann: Directory, body: str) -> None:
    # One of the two values would be lost, and a proxy that inspects requests might have checked the other one.
    headers = {"Authorization": f"Bearer {await ann.key('ann')}"}
    for prefix in (MODELS, "/api/v1/models"):
        answer = await ann.client.post(f"{prefix}/create", content=body.encode(), headers=headers)
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert error["loc"] == ["body"]
        assert "twice in one object" in error["msg"]
    assert (await ann.page("ann"))["total"] == 0
