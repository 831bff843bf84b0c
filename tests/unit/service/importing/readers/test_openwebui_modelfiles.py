"""Modelfiles, which Open WebUI exported before it had model records: their content becomes a model."""

import json
from typing import Any

import pytest

from service.importing.readers.modelfile import parse_modelfile
from service.importing.readers.openwebui import read_openwebui
from service.importing.readers.openwebui_models import PRIVATE
from service.importing.records import ImportedModel
from service.importing.source import Item
from tests.support.memory_sources import source_of

CONTENT = '''# made by hand
FROM llama2:13b
parameter temperature 0.7
PARAMETER num_ctx  4096
PARAMETER mirostat_tau "5.0"
PARAMETER stop "<|user|>"
PARAMETER stop "###"
PARAMETER penalize_newline false
PARAMETER seed 99999999999999999999
PARAMETER top_k 1e999
TEMPLATE """{{ .System }}
FROM elsewhere"""
SYSTEM """You are "Kim".
PARAMETER temperature 2
Be brief."""
'''
OLD: dict[str, Any] = {
    "user_id": "ann",
    "tag_name": "kim:latest",
    "modelfile": {
        "tagName": "kim:latest",
        "title": "Kim",
        "desc": "Is brief.",
        "imageUrl": "data:image/png;base64,AAAA",
        "content": CONTENT,
        "suggestionPrompts": [{"content": "Hello"}],
        "categories": ["assistant", "writing"],
    },
    "timestamp": 1_690_000_000,
}
KIM = {
    "id": "ollama-kim:latest",
    "user_id": "ann",
    "base_model_id": "llama2:13b",
    "name": "Kim",
    "params": {
        "temperature": 0.7,
        "num_ctx": 4096,
        "mirostat_tau": 5.0,
        "stop": ["<|user|>", "###"],
        "penalize_newline": False,
        "seed": "99999999999999999999",
        "top_k": "1e999",
        "system": 'You are "Kim".\nPARAMETER temperature 2\nBe brief.',
    },
    "meta": {
        "profile_image_url": "data:image/png;base64,AAAA",
        "description": "Is brief.",
        "suggestion_prompts": [{"content": "Hello"}],
        "tags": ["assistant", "writing"],
    },
    "access_grants": [],
    "created_at": 1_690_000_000,
    "updated_at": 1_690_000_000,
}


def one(record: Any) -> Item:
    [item] = list(read_openwebui(source_of(json.dumps([record]))))
    return item


def test_a_modelfile_becomes_a_record() -> None:
    item = one(OLD)
    assert item.value == KIM
    assert item.notes == ("TEMPLATE: left out", PRIVATE)
    ImportedModel.model_validate(item.value)


def test_a_modelfile_may_stand_there_by_itself() -> None:
    value = one(OLD["modelfile"]).value
    assert value == {name: held for name, held in KIM.items() if name not in ("user_id", "created_at", "updated_at")}


@pytest.mark.parametrize(
    ("content", "base", "params"),
    [
        ("", None, {}),
        ("FROM a\r\nSYSTEM Be kind. \r\n", "a", {"system": "Be kind."}),
        ('SYSTEM "Be kind."', None, {"system": "Be kind."}),
        ('SYSTEM """Be\nkind.', None, {"system": "Be\nkind."}),
        ('SYSTEM """"quoted" """\nFROM a', "a", {"system": '"quoted" '}),
        ("FROM a\nFROM b", "a", {}),
        ('MESSAGE user """\nSYSTEM no\n"""', None, {}),
        ("MESSAGE assistant SYSTEM no\nFROM a", "a", {}),
        ("\ufefffrom a\rsystem Be kind.\r", "a", {"system": "Be kind."}),
        ('SYSTEM"Be kind."\nFROM a', "a", {"system": "Be kind."}),
        ("system a\nSYSTEM b", None, {"system": "b"}),
        ("PARAMETER stop\nPARAMETER\nSYSTEM", None, {}),
        ("PARAMETER num_ctx 08", None, {"num_ctx": 8}),
        ("PARAMETER top_p -.5e-1", None, {"top_p": -0.05}),
        ("FROM ./file.gguf\n\nYou FROM here\n#SYSTEM no", "./file.gguf", {}),
    ],
)
def test_instructions_of_a_modelfile(content: str, base: str | None, params: dict[str, Any]) -> None:
    found = parse_modelfile(content)
    assert (found.base, found.params) == (base, params)


@pytest.mark.parametrize(
    ("written", "system"),
    [
        ('"Be terse.\nAlways answer in French."', "Be terse.\nAlways answer in French."),
        ('"Be terse.\r\nAlways."\r', "Be terse.\r\nAlways."),
        ('"Say "yes" or\n"no" only."', 'Say "yes" or\n"no" only.'),
        ('"You are\nFROM France,\nparameter by nature."', "You are\nFROM France,\nparameter by nature."),
        ('  " Be terse. "  ', " Be terse. "),
        ('"""Be terse.\n\n# Rules\n"""', "Be terse.\n\n# Rules\n"),
        ('"""Say "yes""""', 'Say "yes"'),
        ('"""One """two""" three\n"""', 'One """two""" three\n'),
        ("Answer #1 # first", "Answer #1 # first"),
        ('"Answer #1" # a comment', "Answer #1"),
        ('"Say "#" # first\nthen stop."', 'Say "#" # first\nthen stop.'),
        ('"He said \\"yes\\"\nand left."', 'He said \\"yes\\"\nand left.'),
        ('"He said \\"yes\\"', 'He said \\"yes\\'),
        ('"Be terse.\nAlways', "Be terse.\nAlways"),
        ('"""Be terse.\nAlways', "Be terse.\nAlways"),
        ('"""Be terse.""" Always.', 'Be terse.""" Always.'),
        ('""', ""),
        ('""""""', ""),
    ],
)
def test_no_text_of_a_system_prompt_is_lost(written: str, system: str) -> None:
    found = parse_modelfile(f"FROM a\nSYSTEM {written}\nPARAMETER top_p 0.9\n")
    assert (found.base, found.params, found.left_out) == ("a", {"system": system, "top_p": 0.9}, {})


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("temperature 0.7 # warm", 0.7),
        ("temperature 1", 1.0),
        ("Temperature 1", 1.0),
        ('top_p "0.9"', 0.9),
        ("top_p nan", "nan"),
        ("num_ctx 2048", 2048),
        ("num_ctx 4e3", 4000),
        ("num_ctx many # or few", "many # or few"),
        ("seed 42", 42),
        ("use_mmap 1", True),
        ("penalize_newline F", False),
        ("low_vram perhaps", "perhaps"),
        ("num_new 5 # unknown", 5),
        ("some_new True", True),
        ("some_new text # not a comment", "text # not a comment"),
        ("stop 1", ["1"]),
        ("stop User:", ["User:"]),
        ("stop # Title", ["# Title"]),
        ('stop "###" # three', ["###"]),
        ('stop "', ['"']),
        ('stop "a', ['"a']),
        ('stop "a\n"', ["a\n"]),
        ("stop true", ["true"]),
    ],
)
def test_a_parameter_has_the_type_that_it_has_in_ollama(written: str, value: Any) -> None:
    found = parse_modelfile(f"PARAMETER {written}\nFROM a")
    assert found.base == "a"
    assert repr(list(found.params.values())) == repr([value])


def test_each_instruction_without_a_place_is_named() -> None:
    content = "FROM a\nADAPTER ./x\nLICENSE MIT\nTEMPLATE x\nMESSAGE user Hi\nRENDERER r\nPARSER p\nREQUIRES 0.14\n"
    named = ["ADAPTER", "LICENSE", "TEMPLATE", "MESSAGE", "RENDERER", "PARSER", "REQUIRES"]
    assert list(parse_modelfile(content).left_out) == named
    for text in ("FROM a\nSYSTEM Be kind.\nAlways.", "SYSTEM\nFROM a", "PARAMETER stop\nFROM a", "FROM a\n5"):
        assert list(parse_modelfile(text).left_out) == ["lines without an instruction"]


SLOW = [
    '"' * 3,
    'SYSTEM "',
    'SYSTEM "a',
    'parameter stop "a',
    'PARAMETER stop "a',
    'SYSTEM "a\\"',
    'system "a\\"\nb\\"',
]
SLOW += [
    "FROM",
    "a " * 50,
    "PARAMETER stop " + " " * 500,
    'parameter stop "a\\"\nb\\"',
    'SYSTEM """a',
    'SYSTEM """a""" b',
]


@pytest.mark.parametrize("line", SLOW)
@pytest.mark.parametrize("end", ["", '"', '"""', "FROM a", 'FROM a\n"'])
def test_a_modelfile_of_any_length_is_read_in_one_go(line: str, end: str) -> None:
    parse_modelfile(f"{line}\n" * 20_000 + end)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"modelfile": 5}, "modelfile: must be an object"),
        ({"modelfile": {"content": "FROM a"}, "tag_name": 5}, "tag_name: must be text"),
        ({"modelfile": {"content": None}}, "modelfile.content: must be text"),
    ],
)
def test_what_is_no_modelfile_is_a_problem(change: dict[str, Any], problem: str) -> None:
    assert one({**OLD, **change}).problem == problem
