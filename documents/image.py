"""The profile images that a model may have: no address that a browser could run or that hides where it leads."""

import base64
import re
from unicodedata import normalize
from urllib.parse import quote, unquote

MAX_IMAGE_BYTES = 256 * 1024
# The address is sent in a response header, and proxies often refuse longer ones.
MAX_ADDRESS_LENGTH = 4096
ALLOWED_IMAGES = ["/static/…", "https://…", "data:image/png;base64,… (or jpeg, gif, webp), at most 256 KB"]

# The field of `meta` that holds it.
IMAGE = "profile_image_url"
# How it begins: it is embedded in the record, served by the service, or elsewhere.
EMBEDDED, LOCAL, REMOTE = "data:", "/static/", "https://"
_SEPARATORS = "%:/?#[]@!$&'()*+,;="
_HIDING = re.compile(r"[\s\\]")
# For a decoded path: no empty segment, no dot segment, and nothing that could be decoded a second time.
_LOCAL_PATH = re.compile(r"/static(?:/(?!\.\.?(?:[/?#;]|\Z))[^/\\%]+)+")
_REMOTE = re.compile(r"https://[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?(?::[0-9]{1,5})?(?:[/?#].*)?")
_BEGINNINGS = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
INLINE_KINDS = tuple(_BEGINNINGS)
_INLINE = re.compile(rf"data:image/({'|'.join(INLINE_KINDS)});base64,([A-Za-z0-9+/]+={{0,2}})")


def image_problem(url: object) -> str | None:
    """Return what is wrong with a profile image, None if nothing is; it may be absent (None or empty)."""
    if url is None or url == "":
        return None
    if not isinstance(url, str):
        return "must be text"
    if inline := _INLINE.fullmatch(url):
        return _inline_problem(inline[1], inline[2])
    if not url.isprintable() or _HIDING.search(url) or not (_is_local(url) or _REMOTE.fullmatch(url)):
        return f"must be one of {'; '.join(ALLOWED_IMAGES)}"
    if (length := len(in_ascii(url))) > MAX_ADDRESS_LENGTH:
        return f"has {length:,} characters; at most {MAX_ADDRESS_LENGTH:,} are allowed"
    return None


def _is_local(url: str) -> bool:
    # Normalised as the most tolerant browser, proxy or server might do it.
    try:
        path = normalize("NFKC", unquote(re.split("[?#]", url, maxsplit=1)[0], errors="strict"))
    except UnicodeDecodeError:
        return False
    return url.startswith(LOCAL) and path.isprintable() and _LOCAL_PATH.fullmatch(path) is not None


def _inline_problem(kind: str, encoded: str) -> str | None:
    if len(encoded) % 4:
        return "must be valid base64"
    image = base64.b64decode(encoded)
    if len(image) > MAX_IMAGE_BYTES:
        return f"has {len(image):,} bytes; at most {MAX_IMAGE_BYTES:,} are allowed"
    return None if _BEGINNINGS[kind].match(image) else f"is not a {kind} image, although it is declared as one"


def inline_image(url: str) -> tuple[str, bytes] | None:
    """Return the type and the bytes of an accepted image that is a data URI; None for an address."""
    inline = _INLINE.fullmatch(url)
    return (inline[1], base64.b64decode(inline[2])) if inline else None


def in_ascii(url: str) -> str:
    """Return an accepted address, with all characters percent-encoded that a header can't contain."""
    return quote(url, safe=_SEPARATORS)
