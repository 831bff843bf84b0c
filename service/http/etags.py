"""Entity tags in `If-Match` and `If-None-Match` (RFC 9110, sections 8.8.3 and 13.1)."""

import re
from collections.abc import Sequence

ANY = "*"
WEAK = "W/"
# The tags of a header as a pattern of JSON Schema. A list may also have empty elements.
TAG_PATTERN = r'(W/)?"[!#-~\u0080-\u00ff]*"'
_TAG = r'(?:W/)?"([!#-~\x80-\xff]*)"'
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_ONE = re.compile(_TAG)


def listed_tags(lines: Sequence[str]) -> list[str] | None:
    """Return the tags that the lines of a header list, in quotes and without `W/`; None if that is malformed.

    For `*`, return `[ANY]`.
    """
    text = ", ".join(lines)
    if text.strip(" \t") == ANY:
        return [ANY]
    if not _LIST.fullmatch(text):
        return None
    return [f'"{tag}"' for tag in _ONE.findall(text)]


def is_known(tag: str, lines: Sequence[str] | None) -> bool:
    """Say whether `If-None-Match` lists a tag; it compares weakly, and a malformed header lists nothing."""
    listed = listed_tags(lines or ()) or ()
    return ANY in listed or tag.removeprefix(WEAK) in listed
