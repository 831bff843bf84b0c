"""For any directory: an export that is imported into an empty directory and exported again has the same bytes."""

import json
import unicodedata
from io import BytesIO
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from documents import DOCUMENTS
from service.doctor import examine
from service.exporting.content import whole_directory
from service.exporting.formats import WRITERS, ExportFormat
from service.importing import ImportOptions
from service.importing.engine import run_import
from service.importing.readers.bundle import read_bundle
from service.importing.readers.openwebui import read_openwebui
from service.importing.source import Source
from tests.support.directory import Directory
from tests.support.every_case import repetitions

EXAMPLES = repetitions(5, 40)

bounded = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)

storable = st.characters(codec="utf-8", exclude_characters="\0")
text = st.text(storable, min_size=1, max_size=30).filter(lambda text: bool(text.strip()))
ids = st.text(storable, min_size=1, max_size=12).filter(
    lambda text: text != "*" and not any(c.isspace() or unicodedata.category(c) == "Cc" for c in text)
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(storable, max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(["$ref", "$id", "a.b", "", "system"]) | st.text(storable), values, max_size=4)
metas = objects.map(
    lambda meta: {name: value for name, value in meta.items() if name not in ("tags", "profile_image_url")}
)
tags = st.lists(text.map(lambda name: {"name": name.strip()}), max_size=3)


@st.composite
def bundles(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a bundle of any valid users, groups and models."""
    user_ids = draw(st.lists(ids, unique=True, max_size=4))
    group_ids = draw(st.lists(ids, unique=True, max_size=4))
    users = [
        {
            "id": user_id,
            "name": draw(text),
            "email": f"{at}@example.com",
            "username": draw(st.none() | text),
            "role": draw(st.sampled_from(["user", "admin"])),
            "is_active": draw(st.booleans()),
        }
        for at, user_id in enumerate(user_ids)
    ]
    groups = [
        {
            "id": group_id,
            "name": draw(text),
            # The parent is an earlier group, so that there is no cycle.
            "parent_id": draw(st.sampled_from([None, *group_ids[:at]])),
            "member_ids": sorted(draw(st.sets(st.sampled_from(user_ids)))) if user_ids else [],
        }
        for at, group_id in enumerate(group_ids)
    ]
    principals = [("user", "*"), *(("user", one) for one in user_ids), *(("group", one) for one in group_ids)]
    models = [
        {
            "id": model_id,
            "user_id": draw(st.sampled_from([*user_ids, "gone"])),
            "base_model_id": draw(st.none() | text),
            "name": draw(text),
            "params": draw(objects),
            "meta": {**draw(metas), **({"tags": draw(tags)} if draw(st.booleans()) else {})},
            "access_grants": _granted(draw, principals),
            "is_active": draw(st.booleans()),
            "version": draw(st.integers(1, 2**62 - 1)),
            "created_at": draw(st.integers(-62135596800, 253402300799)),
            "updated_at": draw(st.integers(-62135596800, 253402300799)),
        }
        for model_id in draw(st.lists(ids, unique=True, max_size=5))
    ]
    return {"users": users, "groups": groups, "models": models}


def _granted(draw: st.DrawFn, principals: list[tuple[str, str]]) -> list[dict[str, str]]:
    named = st.tuples(st.sampled_from(principals), st.sampled_from(["read", "write"]))
    return [
        {"id": f"g{at}", "principal_type": kind, "principal_id": principal_id, "permission": permission}
        for at, ((kind, principal_id), permission) in enumerate(draw(st.lists(named, unique=True, max_size=4)))
    ]


async def emptied(directory: Directory, *kept: str) -> None:
    for document in DOCUMENTS:
        if document.Settings.name not in kept:
            await directory.database.delete_many(document, {})


async def imported(directory: Directory, content: bytes, kind: ExportFormat) -> None:
    source = Source(BytesIO(content), len(content))
    reader = read_openwebui if kind is ExportFormat.OPENWEBUI else read_bundle
    report = await run_import(directory.database, lambda: reader(source), ImportOptions())
    try:
        assert report.fatal is None
        assert report.clean, list(report.faults())
    finally:
        report.close()


async def exported(directory: Directory, kind: ExportFormat) -> bytes:
    return b"".join([part async for part in WRITERS[kind].write(whole_directory(directory.database))])


def by_id(bundle: dict[str, Any]) -> str:
    """Return a bundle as JSON in the order of an export: records by id, and field names as they were given."""
    order = [*("id", "user_id", "base_model_id", "name", "params", "meta", "access_grants", "is_active", "version")]
    parts = {part: sorted(bundle[part], key=lambda record: record["id"].encode()) for part in bundle}
    order += ["created_at", "updated_at"]
    parts["models"] = [{name: model[name] for name in order} for model in parts["models"]]
    for model in parts["models"]:
        if model["base_model_id"] == model["id"]:
            model["base_model_id"] = None
    for group in parts["groups"]:
        group["member_ids"] = sorted(group["member_ids"], key=str.encode)
    return json.dumps(parts)


@pytest.mark.parametrize("kind", [ExportFormat.MODELDECK, ExportFormat.JSONL])
@bounded
@hypothesis.given(bundle=bundles())
async def test_a_directory_comes_back_byte_by_byte(
    directory: Directory, kind: ExportFormat, bundle: dict[str, Any]
) -> None:
    await emptied(directory)
    await imported(directory, json.dumps(bundle).encode(), ExportFormat.MODELDECK)
    # The first import lost nothing either.
    assert json.dumps(json.loads(await exported(directory, ExportFormat.MODELDECK))) == by_id(bundle)
    first = await exported(directory, kind)
    await emptied(directory)
    await imported(directory, first, kind)
    assert await exported(directory, kind) == first
    assert (await examine(directory.database, repair=False)).examples == []


@bounded
@hypothesis.given(bundle=bundles())
async def test_models_come_back_from_the_other_system(directory: Directory, bundle: dict[str, Any]) -> None:
    await emptied(directory)
    await imported(directory, json.dumps(bundle).encode(), ExportFormat.MODELDECK)
    first = await exported(directory, ExportFormat.OPENWEBUI)
    # Such an export has no users or groups.
    await emptied(directory, "users", "groups")
    await imported(directory, first, ExportFormat.OPENWEBUI)
    assert await exported(directory, ExportFormat.OPENWEBUI) == first
    assert [shown["meta"] for shown in json.loads(first)] == [
        shown["meta"] for shown in sorted(bundle["models"], key=lambda model: model["id"].encode())
    ]
