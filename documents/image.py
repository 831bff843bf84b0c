"""Which profile images a model may name: nothing that a browser would run, or that seems to be elsewhere than it is."""

import base64
import binascii
import re

MAX_IMAGE_BYTES = 256 * 1024
ALLOWED_IMAGES = ["/static/…", "https://…", "data:image/png;base64,… (or jpeg, gif, webp), at most 256 KB"]

_LOCAL = re.compile(r"/static/(?!(?:.*/)?\.\.(?:/|$))[^\s\\\x00-\x1f\x7f]+")
_REMOTE = re.compile(r"https://[^\s\\@\x00-\x1f\x7f/]+(?:/[^\s\\\x00-\x1f\x7f]*)?")
_INLINE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,([A-Za-z0-9+/]+={0,2})")
_SIGNATURES = {"png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff", "gif": b"GIF8", "webp": b"RIFF"}


def image_problem(url: object) -> str | None:
    """Say what is wrong with a profile image, or return None; an absent one (None or empty) is fine."""
    if url is None or url == "":
        return None
    if not isinstance(url, str):
        return "must be text"
    if _LOCAL.fullmatch(url) or _REMOTE.fullmatch(url):
        return None
    inline = _INLINE.fullmatch(url)
    return _inline_problem(inline[1], inline[2]) if inline else f"must be one of {'; '.join(ALLOWED_IMAGES)}"


def _inline_problem(kind: str, encoded: str) -> str | None:
    try:
        image = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return "must be valid base64"
    if len(image) > MAX_IMAGE_BYTES:
        return f"has {len(image):,} bytes; at most {MAX_IMAGE_BYTES:,} are allowed"
    return None if image.startswith(_SIGNATURES[kind]) else f"is not the {kind} image that it says it is"
