"""Fingerprints of what a source said: they tell what has changed, and hold none of the content."""

from typing import Any

import pytest

from service.importing.fingerprints import CONTAINERS, GRANTS, SCALARS, Fingerprints, field_print
from service.models.record import CONTENT_FIELDS
from tests.support.directory import grant

CONTENT: dict[str, Any] = {
    "name": "N",
    "base_model_id": None,
    "is_active": True,
    "params": {"system": "Be kind.", "temperature": 1},
    "meta": {},
    "access_grants": [grant("group:g"), grant("user:*", "write")],
}
SAID = Fingerprints.of(CONTENT)


def test_they_are_of_all_content() -> None:
    assert {*SCALARS, *CONTAINERS, GRANTS} == set(CONTENT_FIELDS)


def test_they_are_read_back_from_their_text() -> None:
    assert Fingerprints.parse(SAID.text) == SAID
    assert Fingerprints.parse(Fingerprints().text) == Fingerprints()
    assert "kind" not in SAID.text
    # Three fields, two grants, the two members, and two containers.
    assert len(SAID.text) < 16 * 9 + 10


@pytest.mark.parametrize("text", ["", ".", "...", "AAAA..", "ä..", "..AAAAAAAAA", "!"])
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Fingerprints.parse(text)


def test_they_say_what_was_there_and_what_it_was() -> None:
    assert SAID.has(("params", "system"))
    assert SAID.matches(("params", "system"), "Be kind.")
    assert not SAID.matches(("params", "system"), "Be brief.")
    assert not SAID.has(("meta", "system"))
    assert not SAID.has(("user_id",))
    assert SAID.matches(("access_grants", "group", "g", "read"), True)
    assert not SAID.has(("access_grants", "group", "g", "write"))
    assert SAID.gave_one_of({field_print("name", "N")})
    assert not SAID.gave_one_of({field_print("name", "M")})


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "M"},
        {"params": {"system": "Be kind.", "temperature": 1.0}},
        {"params": {"temperature": 1, "system": "Be kind."}},
        {"meta": {"a": None}},
        {"access_grants": [grant("group:g")]},
        {"access_grants": [*CONTENT["access_grants"], grant("user:ann")]},
    ],
    ids=["name", "type", "order", "more", "a grant less", "a grant more"],
)
def test_a_record_is_as_the_source_said_only_if_nothing_differs(changed: dict[str, Any]) -> None:
    record = {**CONTENT, "user_id": "whoever", "access_grants": CONTENT["access_grants"][::-1]}
    assert SAID.describes(record)
    assert not SAID.describes({**record, **changed})


def test_what_a_source_does_not_mention_is_remembered_as_it_was() -> None:
    owned = Fingerprints.of({**CONTENT, "user_id": "ann"})
    silent = {name: value for name, value in CONTENT.items() if name != "params"}
    assert Fingerprints.of(silent, owned) == owned
    assert Fingerprints.of(silent).params is None


def test_the_mark_of_what_has_gone_is_lost_when_it_comes_back() -> None:
    gone = SAID.as_retired(inactive=True)
    assert gone.retired
    assert gone.matches(("is_active",), False)
    assert gone.describes({**CONTENT, "is_active": False})
    assert not Fingerprints.of(CONTENT, gone).retired
    assert SAID.as_retired(inactive=False).unmarked == SAID


def test_the_equal_parts_of_a_record_are_counted() -> None:
    assert SAID.equal_parts({**CONTENT, "user_id": "u"}) == 7
    assert SAID.equal_parts({**CONTENT, "user_id": "u", "name": "M", "params": {"system": "Be kind."}}) == 5
