"""Which trigrams narrow a search."""

from service.listing.search_statistics import MAX_GRAMS, SearchStatistics


def test_the_rarest_trigrams_come_first() -> None:
    sample = [["abc", "bcd"]] * 1 + [["bcd"]] * 5 + [["zzz"]] * 94
    assert SearchStatistics.of(sample).narrowing("abcd") == ["abc", "bcd"]
    assert SearchStatistics.of(sample).narrowing("abcde") == ["cde", "abc"]


def test_a_term_of_common_trigrams_is_not_narrowed() -> None:
    sample = [["abc"]] * 50 + [["xyz"]] * 50
    assert SearchStatistics.of(sample).narrowing("abc") == []
    assert SearchStatistics.of(sample).narrowing("abcq") == ["bcq"]


def test_without_a_sample_every_trigram_is_trusted() -> None:
    assert len(SearchStatistics().narrowing("abcdef")) == MAX_GRAMS


def test_a_term_shorter_than_a_trigram_has_none() -> None:
    assert SearchStatistics().narrowing("ab") == []
