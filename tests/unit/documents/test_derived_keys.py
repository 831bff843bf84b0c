"""The derived keys of records and users."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from documents.derived_keys import (
    MAX_ROW_BYTES,
    OwnerFields,
    RecordDerivedKeys,
    grams,
    reader_field,
    record_derived_keys,
    user_derived_keys,
)
from documents.folding import fold
from documents.grant import AccessGrant

GRANTS = [
    AccessGrant(id="1", principal_type="group", principal_id="g", permission="read"),
    AccessGrant(id="2", principal_type="user", principal_id="*", permission="read"),
    AccessGrant(id="3", principal_type="user", principal_id="w", permission="write"),
]
storable = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def test_keys_hold_every_principal_tag_and_searched_field_in_folded_form() -> None:
    keys = record_derived_keys(
        user_id="ann",
        name="Große Hilfe",
        base_model_id="OpenAI/X",
        meta={"tags": [{"name": "EU"}, {"name": "eu"}, {"name": "Coding"}, "not a tag", {"title": "neither"}]},
        grants=GRANTS,
        owner=OwnerFields("Ann B.", "Ann@X.org", None),
    )
    assert keys.name == "grosse hilfe"
    assert keys.text == "grosse hilfe\0openai/x\0ann b.\0ann@x.org"
    assert keys.tags == ["coding", "eu"]
    assert keys.readers == ["group:g", "user:*", "user:ann", "user:w"]
    assert keys.writers == ["user:ann", "user:w"]
    assert "gro" in keys.grams
    assert "@x." in keys.grams
    assert not any("\0" in gram for gram in keys.grams)


def _keys(name: str = "A", **meta: Any) -> RecordDerivedKeys:
    return record_derived_keys(user_id="ann", name=name, base_model_id=None, meta=meta, grants=GRANTS, owner=None)


def _tags(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def test_each_reader_has_the_same_row_of_text_and_tags() -> None:
    keys = _keys(tags=_tags("EU", "eu", "a b"))
    assert keys.rows
    assert keys.readable == dict.fromkeys(keys.readers, "a\0\0a b\0eu\0")
    assert set(_keys().readable.values()) == {"a\0\0"}


def test_rows_that_would_be_too_large_or_ambiguous_are_left_out() -> None:
    for keys in (
        _keys("é" * (MAX_ROW_BYTES // 8)),
        _keys("written\0past the service"),
        _keys(tags=_tags("a\0b")),
        _keys(tags=_tags("")),
    ):
        assert (keys.rows, keys.readable) == (False, {})
    assert _keys("é" * (MAX_ROW_BYTES // 8 - 2)).rows


def test_lines_hold_tags_as_they_are_written_and_folded_and_capabilities() -> None:
    keys = _keys(tags=_tags("EU", "eu"), capabilities={"b": True, "": True, "a": False})
    assert (keys.tag_line, keys.capability_line) == ("feu\0tEU\0teu", "c\0cb")
    assert (_keys().tag_line, _keys().capability_line) == ("", "")
    keys = _keys(tags=_tags("a\0b"), capabilities={"a\0b": True})
    assert (keys.tag_line, keys.capability_line) == (None, None)


def test_what_is_described_holds_the_text_and_the_description() -> None:
    keys = _keys("Größe", description="STRASSE\nor track")
    assert keys.described == f"{keys.text}\0strasse\nor track"
    assert keys.description is None
    assert _keys("A").described == f"{_keys('A').text}\0"


def test_a_description_that_would_be_too_large_is_kept_apart() -> None:
    keys = _keys(description="é" * (MAX_ROW_BYTES // 2))
    assert (keys.described, keys.description) == (None, "é" * (MAX_ROW_BYTES // 2))


@given(storable, storable)
def test_readers_have_fields_of_their_own_that_queries_can_reach(one: str, other: str) -> None:
    assert (reader_field(one) == reader_field(other)) == (one == other)
    assert not {".", "$"} & set(reader_field(one).removeprefix("keys.readable."))


def test_a_reader_who_differs_only_in_escaping_is_another() -> None:
    fields = {reader_field(f"user:{name}") for name in ("a.b", "a%2Eb", "a%252Eb", "a$b", "a%24b")}
    assert len(fields) == 5


def test_a_record_without_owner_is_not_found_by_one() -> None:
    keys = record_derived_keys(user_id="gone", name="A", base_model_id=None, meta={}, grants=[], owner=None)
    assert keys.text == "a"
    assert keys.readers == keys.writers == ["user:gone"]


def test_keys_of_a_user_hold_the_email_and_every_searched_field_in_folded_form() -> None:
    keys = user_derived_keys(email="Ann@X.org", name="Große Ann", username=None)
    assert (keys.email, keys.text) == ("ann@x.org", "grosse ann\0ann@x.org")
    assert user_derived_keys(email="a@x.org", name="A", username="ΣΑ").text == "a\0a@x.org\0σα"


def test_an_owner_who_stands_for_everyone_makes_nothing_public() -> None:
    keys = record_derived_keys(user_id="*", name="A", base_model_id=None, meta={}, grants=[], owner=None)
    assert keys.readers == keys.writers == []


@given(storable, storable)
def test_trigrams_find_every_part_of_three_or_more_characters(field: str, term: str) -> None:
    folded, folded_term = fold(field), fold(term)
    if folded_term in folded:
        assert grams(folded_term) <= grams(folded)


def test_folding_examples() -> None:
    assert fold("ＡＢＣ") == "abc"
    assert fold("ﬁne") == "fine"
    assert fold("STRASSE") == fold("straße")
    assert fold("ΣΊΣΥΦΟΣ") == fold("σίσυφος")
    assert fold("e\u0301") == fold("É")
