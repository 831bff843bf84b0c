"""Case folding, used wherever case does not matter: search, tags, name order and emails."""

import unicodedata


def fold(text: str) -> str:
    """Return `text` in the form in which it is compared: Unicode NFKC, then case folding.

    Both sides of every comparison must pass through here. Folded names are ordered by code
    point, which is also how MongoDB orders strings without a collation.
    """
    return unicodedata.normalize("NFKC", text).casefold()
