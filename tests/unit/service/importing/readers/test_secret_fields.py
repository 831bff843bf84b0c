"""A secret that stands where a name belongs: no message, note, position or id shows it."""

import json
from typing import Any

import pytest

from service.importing.formats import SourceFormat, reader_of, recognise
from service.importing.source import SourceError
from tests.support.memory_sources import source_of

SECRET = "sk-abcdef0123456789abcdef"  # made up
MODEL = {"id": "m", "user_id": "u", "base_model_id": "b", "name": "M", "params": {}, "meta": {}, "created_at": 1}
GRANT = {"principal_type": "user", "principal_id": "*", "permission": "read"}
ENTRY = {"model_name": "m", "litellm_params": {"model": "openai/m"}}
PRICES = {"litellm_provider": "openai", "mode": "chat"}
FILES: dict[str, tuple[SourceFormat, Any]] = {
    "a field of an export": (SourceFormat.OPENWEBUI, [{**MODEL, SECRET: 1}]),
    "a field of a model": (SourceFormat.MODELDECK, {"models": [{**MODEL, SECRET: 1}]}),
    "a field of a grant": (SourceFormat.MODELDECK, {"models": [{**MODEL, "access_grants": [{**GRANT, SECRET: 1}]}]}),
    "a field of a user": (SourceFormat.MODELDECK, {"users": [{"id": "u", SECRET: 1}]}),
    "a field of a line": (SourceFormat.MODELDECK, json.dumps({"kind": "group", "id": "g", SECRET: 1})),
    "a part of a bundle": (SourceFormat.MODELDECK, {"users": [], SECRET: 1}),
    "a part that is given twice": (SourceFormat.MODELDECK, f'{{"users": [], "{SECRET}": 1, "{SECRET}": 2}}'),
    "a name in a price map": (SourceFormat.LITELLM_PRICES, {"m": PRICES, SECRET: PRICES}),
    "a place in Helm values": (SourceFormat.LITELLM, {SECRET: {"proxy_config": {"model_list": [ENTRY]}}}),
    "a file in a ConfigMap": (
        SourceFormat.LITELLM,
        {"kind": "ConfigMap", "data": {SECRET: json.dumps({"model_list": [ENTRY]})}},
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_secret_as_a_name_is_not_shown(name: str) -> None:
    wanted, content = FILES[name]
    source = source_of(content if isinstance(content, str) else json.dumps(content))
    shown: list[Any] = []
    try:
        shown.append(recognise(source))
    except SourceError as error:
        shown.append(error.detail)
    try:
        for item in reader_of(wanted)(source):
            shown += [item.position, item.problem, item.notes, item.kept_out]
            shown.append(item.value and item.value.get("id"))
            # The check of a record names each field that it refuses.
            assert item.problem is not None or SECRET not in item.value
            shown.append(item.value and item.value.get("access_grants"))
    except SourceError as error:
        shown.append(error.detail)
    assert SECRET not in repr(shown)
