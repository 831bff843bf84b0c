"""Case folding for everything that ignores case: search, tags, the order of names, and emails."""

import unicodedata


def fold(text: str) -> str:
    """Return `text` as used for comparison: Unicode NFKC, then case folding.

    Both sides of every comparison must be folded. Folded names are ordered by code point, which is also how MongoDB
    orders strings without a collation.
    """
    return unicodedata.normalize("NFKC", text).casefold()
