"""Recognising the format of a file by its content: every shape of every format, and nothing else."""

import gzip
import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ConfigurationError
from service.importing.file_head import HEAD_BYTES
from service.importing.formats import SourceFormat, reader_of, recognise
from service.importing.schemas import SentFormat
from service.importing.source import Source, SourceError
from tests.support.catalogue_sources import SAMPLES
from tests.support.memory_sources import source_of

MODEL = {"id": "m", "user_id": "ann", "base_model_id": "b", "name": "M", "params": {}, "meta": {}, "created_at": 1}
OF_RESOURCE = {"id": "g", "resource_type": "model", "principal_type": "user", "principal_id": "*", "permission": "read"}
USER = {"id": "ann", "name": "Ann", "email": "ann@x.org"}
SPEC = {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 3e-06}
MODELFILE = {"tag_name": "m:latest", "modelfile": {"title": "M", "content": "FROM llama2"}, "timestamp": 1}
RUNTIME = {"id": "m", "name": "M", "object": "model", "owned_by": "ollama", "info": MODEL}
PADDING = "x" * HEAD_BYTES

SHAPES: dict[str, tuple[SourceFormat, Any]] = {
    "bundle": (SourceFormat.MODELDECK, {"users": [USER], "groups": [], "models": [MODEL]}),
    "bundle, models first": (SourceFormat.MODELDECK, {"models": [MODEL], "users": [USER]}),
    "bundle of models": (SourceFormat.MODELDECK, {"models": [MODEL]}),
    "bundle of models with grants": (
        SourceFormat.MODELDECK,
        {
            "models": [
                {**MODEL, "access_grants": [{"principal_type": "user", "principal_id": "*", "permission": "read"}]}
            ]
        },
    ),
    "bundle of users": (SourceFormat.MODELDECK, {"users": [USER]}),
    "bundle of nothing": (SourceFormat.MODELDECK, {"models": []}),
    "bundle that has it all": (SourceFormat.MODELDECK, {"users": [], "models": [{**MODEL, "version_id": "v"}]}),
    "bundle longer than the head": (SourceFormat.MODELDECK, {"models": [MODEL, {**MODEL, "params": {"p": PADDING}}]}),
    "lines": (SourceFormat.MODELDECK, '{"kind": "user", "id": "ann"}\n{"kind": "model", "id": "m"}\n'),
    "lines with users as an export has them": (
        SourceFormat.MODELDECK,
        json.dumps({"kind": "user", **USER, "role": "user"}) + "\n",
    ),
    "lines after a blank one": (SourceFormat.MODELDECK, '\n\n{"kind": "group", "id": "g"}'),
    "export": (SourceFormat.OPENWEBUI, [{**MODEL, "version_id": "v", "access_grants": [OF_RESOURCE]}]),
    "export of nothing": (SourceFormat.OPENWEBUI, []),
    "export of 0.8": (SourceFormat.OPENWEBUI, [{**MODEL, "access_grants": [OF_RESOURCE]}]),
    "export of 0.4": (SourceFormat.OPENWEBUI, [{**MODEL, "access_control": None}]),
    "export of 0.3": (SourceFormat.OPENWEBUI, [MODEL]),
    "export of running models": (SourceFormat.OPENWEBUI, [RUNTIME]),
    "export of running models that mostly are none": (SourceFormat.OPENWEBUI, [{"id": "a", "name": "A"}, RUNTIME]),
    "export of modelfiles": (SourceFormat.OPENWEBUI, [MODELFILE]),
    "export of flat modelfiles": (
        SourceFormat.OPENWEBUI,
        [{"tagName": "m:latest", "title": "M", "content": "FROM llama2"}],
    ),
    "export as an object": (SourceFormat.OPENWEBUI, {"models": [{**MODEL, "access_control": {}}]}),
    "export as an object with grants": (
        SourceFormat.OPENWEBUI,
        {"models": [{**MODEL, "access_grants": [OF_RESOURCE]}]},
    ),
    "export as an object with more": (SourceFormat.OPENWEBUI, {"exported_at": 5, "models": [MODEL]}),
    "export of one": (SourceFormat.OPENWEBUI, MODEL),
    "export of one with a version": (SourceFormat.OPENWEBUI, {**MODEL, "version_id": "v"}),
    "export of one running model": (SourceFormat.OPENWEBUI, RUNTIME),
    "export of one modelfile": (SourceFormat.OPENWEBUI, MODELFILE),
    "export longer than the head": (SourceFormat.OPENWEBUI, [MODEL, {**MODEL, "params": {"system": PADDING}}]),
    "export of all fields and one of a fork": (
        SourceFormat.OPENWEBUI,
        [{**MODEL, "updated_at": 1, "is_pinned": True}],
    ),
    "export with a configuration in a prompt": (
        SourceFormat.OPENWEBUI,
        [{**MODEL, "params": {"system": "model_list:\n  - model_name: a\n    litellm_params: {model: b/c}\n"}}],
    ),
    "database": (SourceFormat.OPENWEBUI_DB, b"SQLite format 3\0" + bytes(range(256)) * 16),
    "configuration": (SourceFormat.LITELLM, "# Ours\nmodel_list:\n  - model_name: m\n"),
    "configuration, list last": (SourceFormat.LITELLM, "general_settings:\n  a: b\n\nmodel_list: []"),
    "configuration with its name quoted": (SourceFormat.LITELLM, '---\n"model_list":\n- {}\n'),
    "configuration in braces": (SourceFormat.LITELLM, "{model_list: [{model_name: m}]}"),
    "configuration as JSON": (SourceFormat.LITELLM, {"general_settings": {}, "model_list": [{"model_name": "m"}]}),
    "configuration with line ends of Windows": (SourceFormat.LITELLM, "a: b\r\nmodel_list:\r\n- {}\r\n"),
    "price map": (SourceFormat.LITELLM_PRICES, {"sample_spec": {"mode": "one of"}, "gpt-4o": SPEC}),
    "price map without a sample": (SourceFormat.LITELLM_PRICES, {"openai/gpt-4o": SPEC, "odd": {"rules": []}}),
    "price map of other prices": (
        SourceFormat.LITELLM_PRICES,
        {"a": {"mode": "image_generation", "output_cost_per_image": 0.04}},
    ),
    "price map longer than the head": (SourceFormat.LITELLM_PRICES, {"a": SPEC, "b": {**SPEC, "source": PADDING}}),
}
# The shortest Modelfile is one by the name of its file alone.
SHAPES |= {
    f"{wanted}, {name}": (SourceFormat(wanted), content)
    for wanted, samples in SAMPLES.items()
    for name, content in samples.items()
    if name != "Modelfile.short"
}
OTHERS: dict[str, Any] = {
    "nothing": "",
    "blanks": " \n\t\n",
    "empty object": {},
    "empty list of lists": [[]],
    "number": 5,
    "text": "text",
    "list of text": ["models", "users"],
    "list of lists": [[{"id": "m"}]],
    "list of other objects": [{"id": 1, "title": "x"}, {"id": 2, "info": "y", "params": {}}],
    "object of models that are none": {"models": {"a": 1}},
    "object of more than a bundle": {"users": [USER], "orders": []},
    "prices of something else": {"apples": {"price": 3}, "pears": {"mode": "ripe"}},
    "other kind": '{"kind": "ConfigMap", "data": {}}',
    "list in another document": "data:\n  config.yaml: |\n    model_list:\n      - a\n",
    "prose": "The model_list: it comes first.",
    "name that goes on": "model_list_of_ours:\n  - a\n",
    "binary": bytes(range(256)) * 100,
    "UTF-16": json.dumps({"users": []}).encode("utf-16"),
    "other database": b"SQLite format 2\0",
}
HOSTILE: dict[str, str | bytes] = {
    "endless text": '"' + "x" * (HEAD_BYTES * 2),
    "endless depth": "[" * (HEAD_BYTES * 2),
    "endless depth of objects": '{"a":' * HEAD_BYTES,
    "endless names": "{" + ",".join(f'"{number}":0' for number in range(700_000)),
    "endless elements": "[" + "0," * HEAD_BYTES,
    "endless digits": '{"a": ' + "9" * (HEAD_BYTES * 2),
    "endless blanks": "\n" * (HEAD_BYTES * 2),
    "endless braces": "{\n" * HEAD_BYTES,
    "gzip bomb": gzip.compress(b"\0" * (1 << 26), 1, mtime=0),
}


def written(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    return (content if isinstance(content, str) else json.dumps(content)).encode()


def refused(source: Source) -> str:
    with pytest.raises(SourceError) as refusal:
        recognise(source)
    return refusal.value.detail


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_recognised_with_a_reason(shape: str) -> None:
    expected, content = SHAPES[shape]
    plain = written(content)
    indented = json.dumps(content, indent=2).encode() if isinstance(content, dict | list) else plain
    for file in (plain, indented, gzip.compress(plain, 1), b"\xef\xbb\xbf" * (expected != "openwebui-db") + plain):
        found = recognise(source_of(file))
        assert found.format is expected
        assert found.reason.isprintable()
        assert len(found.reason) < 200


def test_the_reason_names_what_was_seen() -> None:
    recognised = {shape: recognise(source_of(written(SHAPES[shape][1]))) for shape in ("bundle", "export", "price map")}
    assert {shape: found.reason for shape, found in recognised.items()} == {
        "bundle": "a JSON object of users, groups, models: a bundle",
        "export": "JSON models with access_grants of resources, version_id: an Open WebUI export",
        "price map": "a JSON object whose values have litellm_provider, mode, input_cost_per_token: "
        "LiteLLM's price map",
    }


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_not_recognised(name: str) -> None:
    refusal = refused(source_of(written(OTHERS[name])))
    assert refusal.startswith(("not recognised", "the file is empty"))
    assert refusal.isprintable()
    assert len(refusal) < 400


def test_a_refusal_names_the_formats_and_what_comes_nearest() -> None:
    mixed = [MODEL, *({"id": str(number), "rows": []} for number in range(9))]
    assert refused(source_of(written(mixed))) == (
        f"not recognised. The formats are {', '.join(SourceFormat)}. It comes nearest to openwebui: "
        "10% of the first records are JSON models with base_model_id, meta, name, params: an Open WebUI export."
    )
    assert "nearest to modeldeck" in refused(source_of(written({"users": [USER], "orders": []})))


def test_an_empty_file_is_refused_as_such() -> None:
    assert [refused(source_of(content)) for content in ("", " \n", b"\xef\xbb\xbf")] == ["the file is empty"] * 3


def test_a_packed_file_of_which_nothing_can_be_read_is_not_called_empty() -> None:
    packed = gzip.compress(written([MODEL]), mtime=0)
    assert refused(source_of(packed[: len(packed) // 2])) == "can't be read: the compressed file is cut off"
    damaged = "can't be read: the compressed file is damaged, or has something after its end"
    assert refused(source_of(packed + b"more")) == damaged
    assert refused(source_of(b"\x1f\x8bnonsense")) == damaged


META = {"description": "Query", "manifest": {"title": "x"}}
OWNED = {"id": "x", "user_id": "u", "name": "X", "access_control": None, "created_at": 1, "updated_at": 1}
OF_KNOWLEDGE = {**OF_RESOURCE, "resource_type": "knowledge"}
OTHER_EXPORTS: dict[str, tuple[str, Any]] = {
    "tools": ("tools", [{**OWNED, "content": "class Tools:", "specs": [{"name": "q"}], "meta": META}]),
    "tools of 0.12": ("tools", [{**OWNED, "content": "class Tools:", "meta": META, "access_grants": [OF_RESOURCE]}]),
    "tools in models": ("tools", {"models": [{**OWNED, "content": "", "specs": []}]}),
    "tools of the community": ("tools", [{"id": "t", "name": "T", "meta": META, "content": "class Tools:"}]),
    "functions": ("functions", [{**OWNED, "type": "filter", "content": "class Filter:", "meta": META, "valves": {}}]),
    "pipes": ("functions", [{**OWNED, "type": "pipe", "content": "class Pipe:", "is_global": True}]),
    "functions of the community": (
        "functions",
        [{"id": "f", "name": "F", "meta": META, "content": "import x\n\nclass Filter:"}],
    ),
    "knowledge": ("knowledge bases", [{**OWNED, "description": "d", "data": {"file_ids": ["f"]}, "meta": None}]),
    "knowledge with files": ("knowledge bases", [{**OWNED, "description": "d", "files": []}]),
    "a page of knowledge": ("knowledge bases", {"items": [{**OWNED, "description": "d", "files": []}], "total": 1}),
    "a page of knowledge without files": (
        "knowledge bases",
        {"items": [{**OWNED, "description": "d", "meta": {}, "access_grants": [OF_KNOWLEDGE]}], "total": 1},
    ),
    "prompts": ("prompts", [{"command": "/x", "user_id": "u", "title": "X", "content": "c", "timestamp": 1}]),
    "prompts of 0.12": ("prompts", [{**OWNED, "command": "x", "content": "c", "version_id": "v", "tags": []}]),
    "one prompt": ("prompts", {"command": "/x", "title": "X", "content": "c"}),
    "chats": ("chats", [{"id": "c", "user_id": "u", "title": "Hi", "chat": {"models": ["m"]}, "meta": {}}]),
    "early chats": ("chats", [{"id": "c", "title": "T", "models": ["m"], "params": {}, "messages": [], "history": {}}]),
    "skills": ("skills", [{**OWNED, "description": "d", "content": "# Skill", "meta": {}, "is_active": True}]),
    "groups": ("groups", [{**OWNED, "description": "d", "permissions": {}, "data": {}, "user_ids": ["u"]}]),
    "channels": ("channels", [{**OWNED, "type": None, "description": "d", "data": None, "meta": None}]),
    "folders": ("folders", [{**OWNED, "parent_id": None, "items": None, "data": {}, "is_expanded": True}]),
    "files": ("files", [{**OWNED, "filename": "a.pdf", "data": {}, "meta": {}}]),
    "notes": ("notes", [{"id": "n", "user_id": "u", "title": "N", "data": {"content": {"md": "x"}}, "meta": {}}]),
    "ratings": ("ratings", [{"id": "f", "user_id": "u", "type": "rating", "data": {"rating": 1}, "snapshot": {}}]),
    "memories": ("memories", [{"id": "m", "user_id": "u", "content": "likes tea", "created_at": 1}]),
    "users": ("users", [{**USER, "role": "user", "profile_image_url": "/user.png"}]),
    "configuration": ("the configuration", {"version": 0, "ui": {"banners": []}, "openai": {"api_keys": ["sk-x"]}}),
}


@pytest.mark.parametrize("name", OTHER_EXPORTS)
def test_what_else_open_webui_exports_is_refused_by_its_name(name: str) -> None:
    kind, content = OTHER_EXPORTS[name]
    refusal = refused(source_of(written(content)))
    assert f"this is an export of {kind}" in refusal
    assert "sk-x" not in refusal


def test_what_is_no_model_in_an_export_of_models_is_rejected_by_its_name() -> None:
    tool = OTHER_EXPORTS["tools"][1][0]
    first, second = reader_of(SourceFormat.OPENWEBUI)(source_of(written([MODEL, tool])))
    assert (first.problem, second.problem) == (None, "is a tool, not a model")
    first, second = reader_of(SourceFormat.OPENWEBUI)(source_of(written([RUNTIME, {"id": "a", "info": tool}])))
    assert second.problem == "is a tool, not a model"


@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_takes_long(name: str) -> None:
    source = source_of(HOSTILE[name])
    began = time.thread_time()
    assert refused(source)
    assert time.thread_time() - began < 5


def test_a_packed_file_that_breaks_off_is_recognised_by_what_is_there() -> None:
    packed = gzip.compress(written({"users": [{**USER, "name": str(number)} for number in range(1000)]}))
    assert refused(source_of(packed[: len(packed) // 2]))
    lines = gzip.compress(b"".join(b'{"kind": "user", "id": "%d"}\n' % number for number in range(10_000)))
    found = recognise(source_of(lines[: len(lines) // 2]))
    assert found.format is SourceFormat.MODELDECK


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b", b"{", b"[", b'{"models": [', b'{"kind": ', b"\xff"]))
def test_garbage_is_recognised_or_refused(noise: bytes, start: bytes) -> None:
    with suppress(SourceError):
        recognise(source_of(start + noise))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda values: (
        st.lists(values)
        | st.dictionaries(
            st.sampled_from([*MODEL, *OF_RESOURCE, *SPEC, "models", "users", "info", "modelfile"]), values
        )
    ),
)


@given(JSON)
def test_any_json_is_recognised_or_refused(value: Any) -> None:
    with suppress(SourceError):
        recognise(source_of(json.dumps(value)))


@pytest.mark.parametrize(
    ("wanted", "content", "ids"),
    [
        (SourceFormat.MODELDECK, {"models": [MODEL]}, ["m"]),
        (SourceFormat.OPENWEBUI, [MODEL], ["m"]),
        (SourceFormat.LITELLM_PRICES, {"a": SPEC}, ["a"]),
        (
            SourceFormat.LITELLM,
            {"model_list": [{"model_name": "m", "litellm_params": {"model": "b"}}]},
            ["m-2233240063"],
        ),
    ],
)
def test_each_format_has_its_reader(wanted: SourceFormat, content: Any, ids: list[str]) -> None:
    source = source_of(written(content))
    assert [item.value["id"] for item in reader_of(wanted)(source)] == ids


def test_a_database_is_opened_by_its_path() -> None:
    with pytest.raises(ConfigurationError, match="opened by its path"):
        reader_of(SourceFormat.OPENWEBUI_DB)


def test_every_format_but_a_database_can_be_sent() -> None:
    assert set(SentFormat) == {"auto", *SourceFormat} - {SourceFormat.OPENWEBUI_DB, SourceFormat.LITELLM_DB}
