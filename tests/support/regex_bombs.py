"""Search terms that would keep an engine of expressions busy, or break it, if it took them for expressions."""

from collections.abc import Iterator

MOST = 128
# What makes a naive engine try everything, in the shapes in which it is known.
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
    """Yield terms of 1 to 128 characters that are harmless only when they are taken literally."""
    yield from (*_BOMBS, *_BROKEN)
    for bomb in _BOMBS:
        # As long as a term may be.
        yield (bomb * MOST)[:MOST]
        yield ("a" * MOST + bomb)[-MOST:]
    yield from (character * MOST for character in "([{\\*+?.^$|aﷺ")


def plain_terms() -> Iterator[str]:
    """Yield terms as people type them, with which to compare: as many as there are bombs, and of their lengths."""
    for at, bomb in enumerate(regex_bombs()):
        word = _WORDS[at % len(_WORDS)]
        yield (f"{word} " * MOST)[: max(len(bomb), 1)].strip() or word
