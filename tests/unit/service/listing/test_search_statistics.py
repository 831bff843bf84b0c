"""Which trigrams narrow a search."""

from typing import Any

from service.listing.search_statistics import MAX_GRAMS, SearchStatistics


def _of(grams: list[list[str]]) -> SearchStatistics:
    return SearchStatistics.of([{"keys": {"grams": held}} for held in grams])


def test_the_rarest_trigrams_come_first() -> None:
    sample = [["abc", "bcd"]] * 1 + [["bcd"]] * 5 + [["zzz"]] * 94
    assert _of(sample).narrowing("abcd") == ["abc", "bcd"]
    assert _of(sample).narrowing("abcde") == ["cde", "abc"]


def test_a_term_of_common_trigrams_is_not_narrowed() -> None:
    sample = [["abc"]] * 50 + [["xyz"]] * 50
    assert _of(sample).narrowing("abc") == []
    assert _of(sample).narrowing("abcq") == ["bcq"]


def test_without_a_sample_every_trigram_is_trusted() -> None:
    assert len(SearchStatistics().narrowing("abcdef")) == MAX_GRAMS


def test_a_term_shorter_than_a_trigram_has_none() -> None:
    assert SearchStatistics().narrowing("ab") == []


def test_what_a_filter_finds_is_expected_from_what_it_finds_in_the_sample() -> None:
    sample: list[dict[str, Any]] = [
        {"keys": {"text": "red round", "tags": ["t", "u"], "capabilities": ["vision"]}},
        {"keys": {"text": "red", "tags": ["t"]}},
        {"keys": {"text": "round"}},
        # Written past the service.
        {"keys": {"text": 1, "tags": "t", "capabilities": [["vision"]]}},
        {"keys": None},
    ]
    statistics = SearchStatistics.of(sample)
    assert statistics.found_share([], [], []) == 1
    assert statistics.found_share(["red"], [], []) == 0.4
    assert statistics.found_share(["re", "un"], [], []) == 0.2
    assert statistics.found_share(["red"], ["t"], []) == 0.4
    assert statistics.found_share([], ["t", "u"], ["vision"]) == 0.2
    assert statistics.found_share(["red"], ["x"], []) == 0
    assert SearchStatistics().found_share(["red"], ["x"], []) == 1
