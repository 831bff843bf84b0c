"""Entity tags in the headers of requests."""

import pytest

from service.http.etags import ANY, is_known, listed_tags


@pytest.mark.parametrize(
    ("lines", "listed"),
    [
        (["*"], [ANY]),
        ([" * "], [ANY]),
        (['"3"'], ['"3"']),
        (['W/"3"'], ['"3"']),
        (['"a" ,\t"b,c",W/"d"'], ['"a"', '"b,c"', '"d"']),
        (['"a"', 'W/"b"'], ['"a"', '"b"']),
        ([', "a",, ,"b",'], ['"a"', '"b"']),
        (['""', '"*"'], ['""', '"*"']),
        (['"\u00e9W/"'], ['"\u00e9W/"']),
    ],
)
def test_tags_are_listed(lines: list[str], listed: list[str]) -> None:
    assert listed_tags(lines) == listed


@pytest.mark.parametrize(
    "text",
    ["", ",", "3", "one", '"', '"a', 'w/"a"', 'W/ "a"', '"a""b"', '"a" "b"', '*, "a"', '"a b"', '"a", b', "*, *"],
)
def test_what_is_no_list_of_tags_is_malformed(text: str) -> None:
    assert listed_tags([text]) is None


@pytest.mark.parametrize(
    "text", ['"a",' * 20_000 + "b", "," * 80_000 + "b", ' "a" ' * 20_000, '"a"' + " ," * 40_000 + "b"]
)
def test_a_long_header_takes_no_long_time(text: str) -> None:
    assert listed_tags([text]) is None


def test_a_known_tag_is_compared_weakly() -> None:
    assert all(is_known(tag, ['"a", W/"b"']) for tag in ('"a"', 'W/"a"', '"b"', 'W/"b"'))
    assert is_known('W/"c"', ["*"])
    assert not any(is_known('"c"', lines) for lines in (None, [], ['"a"'], ['"c'], ["c"]))
