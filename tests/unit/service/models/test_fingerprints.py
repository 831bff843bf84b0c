"""Fingerprints of what a source said: they tell what has changed, and hold none of the content."""

from typing import Any

import pytest

from service.models.fingerprints import CONTAINERS, GRANTS, SCALARS, Fingerprints, field_print
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


def test_those_of_another_form_are_refused() -> None:
    earlier_draft = ".".join(SAID.text.split(".")[1:])
    with pytest.raises(ValueError, match="four parts"):
        Fingerprints.parse(earlier_draft)


@pytest.mark.parametrize("text", ["", ".", "....", "AAAA...", "ä...", "...AAAAAAAAA", "..AAAAAAAAAAAAAAAAAAAAAA.", "!"])
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
        {"meta": {"a": None}},
        {"access_grants": [grant("group:g")]},
        {"access_grants": [*CONTENT["access_grants"], grant("user:ann")]},
    ],
    ids=["name", "type", "more", "a grant less", "a grant more"],
)
def test_a_record_is_as_the_source_said_only_if_nothing_differs(changed: dict[str, Any]) -> None:
    said = Fingerprints.of({**CONTENT, "user_id": "whoever"})
    record = {**CONTENT, "user_id": "whoever", "access_grants": CONTENT["access_grants"][::-1]}
    assert said.describes(record)
    assert not said.describes({**record, **changed})
    assert not said.describes({**record, "user_id": "another"})


def test_the_order_of_names_is_no_part_of_what_was_said() -> None:
    nested = {"response_format": {"type": "json", "schema": {"b": [{"d": 1, "c": 2}], "a": 1}}, "seed": 1}
    other = {"seed": 1, "response_format": {"schema": {"a": 1, "b": [{"c": 2, "d": 1}]}, "type": "json"}}
    said = Fingerprints.of({**CONTENT, "params": nested, "user_id": "u"})
    assert said.matches_whole("params", other)
    assert not said.matches_order("params", other)
    assert said.matches_order("params", nested)
    assert said.matches(("params", "response_format"), other["response_format"])
    assert said.describes({**CONTENT, "params": other, "user_id": "u"})
    assert said.says_as(Fingerprints.of({**CONTENT, "params": other, "user_id": "u"}))
    # The order of a list does count.
    assert not Fingerprints.of({"params": {"stop": [1, 2]}}).matches_whole("params", {"stop": [2, 1]})


def test_what_a_source_does_not_mention_is_remembered_as_it_was() -> None:
    owned = Fingerprints.of({**CONTENT, "user_id": "ann"})
    silent = {name: value for name, value in CONTENT.items() if name != "params"}
    assert Fingerprints.of(silent).following(owned) == owned
    assert Fingerprints.of(silent).params is None


def test_a_grant_that_was_brought_is_remembered_while_the_source_says_it() -> None:
    grants = [grant("user:ann"), grant("group:g")]
    brought = Fingerprints.of({"access_grants": grants}, there={"ann": ["ext-ann"]})
    nothing = Fingerprints.of({"access_grants": []})
    ann, group = ("access_grants", "user", "ann", "read"), ("access_grants", "group", "g", "read")
    there = ("access_grants", "user", "ext-ann", "read")
    kept = nothing.following(brought, [there])
    assert (kept.has(ann), kept.has(group)) == (True, False)
    assert Fingerprints.parse(nothing.following(kept, [there, group]).text).has(ann)
    assert brought.still_gives([*grants, grant("user:ben")], [there]) == [grants[0]]
    # It was never brought under its own name, and this says nothing of other permissions.
    assert not nothing.following(brought, [ann]).grants
    assert not nothing.following(brought, [("access_grants", "user", "ext-ann", "write")]).grants
    assert brought.says_as(Fingerprints.of({"access_grants": grants}))


def test_the_mark_of_what_has_gone_is_lost_when_it_comes_back() -> None:
    gone = SAID.as_retired(inactive=True)
    assert gone.retired
    assert gone.matches(("is_active",), False)
    assert gone.made_inactive
    again = Fingerprints.parse(gone.as_reactivated().text)
    assert (again.retired, again.made_inactive, again.says_as(SAID)) == (True, False, True)
    assert not Fingerprints.of(CONTENT).following(gone).retired
    assert SAID.as_retired(inactive=False).says_as(SAID)


def test_the_equal_parts_of_a_record_are_counted() -> None:
    assert SAID.equal_parts({**CONTENT, "user_id": "u"}) == 7
    assert SAID.equal_parts({**CONTENT, "user_id": "u", "name": "M", "params": {"system": "Be kind."}}) == 5
