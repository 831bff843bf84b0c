"""Which profile images a model may name: nothing that a browser would run, or that seems to be elsewhere than it is."""

import base64
import re
from unicodedata import normalize
from urllib.parse import quote, unquote

MAX_IMAGE_BYTES = 256 * 1024
# Goes into a header of an answer, where more is often refused on the way.
MAX_ADDRESS_LENGTH = 4096
ALLOWED_IMAGES = ["/static/…", "https://…", "data:image/png;base64,… (or jpeg, gif, webp), at most 256 KB"]

LOCAL, REMOTE = "/static/", "https://"
_SEPARATORS = "%:/?#[]@!$&'()*+,;="
_HIDING = re.compile(r"[\s\\]")
# Of a path that is decoded already: no segment that is empty or made of dots, and nothing to be decoded again.
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
    """Say what is wrong with a profile image, or return None; an absent one (None or empty) is fine."""
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
    # Looked at as the most obliging browser, proxy or server might read it.
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
    return None if _BEGINNINGS[kind].match(image) else f"is not the {kind} image that it says it is"


def inline_image(url: str) -> tuple[str, bytes] | None:
    """Return kind and bytes of an accepted image that is a data URI; None for one that is an address."""
    inline = _INLINE.fullmatch(url)
    return (inline[1], base64.b64decode(inline[2])) if inline else None


def in_ascii(url: str) -> str:
    """Return an accepted address with everything percent-encoded that a header can't hold."""
    return quote(url, safe=_SEPARATORS)
