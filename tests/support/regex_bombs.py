"""Search terms that would take a regex engine very long, or be invalid, if they were used as regular expressions."""

from collections.abc import Iterator

MOST = 128
# Known expressions that cause catastrophic backtracking.
_BOMBS = [
    *("(a+)+$", "([a-zA-Z]+)*$", "(a|aa)+$", "(a|a?)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y"),
    *("(?:a?){64}a{64}", "(a*)*b", "((a*)*)*$", "(a{1,64}){1,64}$", "(.*)*\\1", "(?=(a+))a*b\\1", "(a+)+\\u0000"),
    *(".*.*.*.*.*.*.*.*=.*", "\\s+$", "(\\w+\\s?)*$", "(?i)(s|ſ)+$", "[\\s\\S]*[\\s\\S]*[\\s\\S]*x", "(é|e\u0301)+$"),
]
_BROKEN = [
    "[",
    "(",
    "(?",
    "(?P<",
    "*",
    "+",
    "?",
    "{",
    "a{1,99999}",
    "\\",
    "[^",
    "[[:alpha:",
    "(?#",
    "\\p{",
    "\\x{110000}",
]
_WORDS = ["assistant", "openai", "gpt", "llama", "summary", "code", "a", "example.com", "absent word", "zzzzqqqq"]


def regex_bombs() -> Iterator[str]:
    """Yield terms of 1 to 128 characters that are harmless only if they are searched literally."""
    yield from (*_BOMBS, *_BROKEN)
    for bomb in _BOMBS:
        # The maximum length of a term.
        yield (bomb * MOST)[:MOST]
        yield ("a" * MOST + bomb)[-MOST:]
    yield from (character * MOST for character in "([{\\*+?.^$|aﷺ")


def plain_terms() -> Iterator[str]:
    """Yield ordinary terms for comparison, as many as there are bombs, and of the same lengths."""
    for at, bomb in enumerate(regex_bombs()):
        word = _WORDS[at % len(_WORDS)]
        yield (f"{word} " * MOST)[: max(len(bomb), 1)].strip() or word
