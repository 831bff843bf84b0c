"""The terms of a search: words and quoted phrases, of which all have to occur."""

import re

from documents.folding import fold

# A phrase begins where a word begins and ends where a word ends; other quotation marks are ordinary characters.
_TERM = re.compile(r'(?<!\S)"(.+?)"(?!\S)|(\S+)', re.DOTALL)


def search_terms(query: str, *, literal: bool) -> list[str]:
    """Return the folded terms of a query, each once and in their order; with `literal`, the whole text as one term.

    Words are divided by white space; what stands in quotation marks is a term as it stands, white space included.
    """
    if literal:
        return [fold(query)]
    return list(dict.fromkeys(fold(phrase or word) for phrase, word in _TERM.findall(query)))
