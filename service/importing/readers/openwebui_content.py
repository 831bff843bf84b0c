"""What is remarked on, or changed, in `params` and `meta` of a model of Open WebUI: secrets, and default pictures."""

import re
from typing import Any

from documents.image import EMBEDDED, IMAGE
from service.importing.readers.redact import secrets_found, without_clear_secrets
from service.importing.readers.secret_texts import MAX_SEARCHED

IN_PARAMS = "looks like a secret; it was kept, and everybody who may write the model can read it"
IN_META = "may contain a secret; it was kept, and everybody who may read the model can read it"
DEFAULT_IMAGE = "/static/favicon.png"
DEFAULTED = f"meta.{IMAGE}: a default picture of Open WebUI, which is {DEFAULT_IMAGE} here"

_PICTURE = r"(?:favicon|user)\.png(?:\?[\w.=&-]{0,100})?"
# Elsewhere, /favicon.png may be the picture of that host.
_DEFAULTS = re.compile(
    rf"/?(?:static/)?{_PICTURE}|https?://[\w.-]{{1,255}}(?::[0-9]{{1,5}})?/static/{_PICTURE}"
    rf"|https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::[0-9]{{1,5}})?/{_PICTURE}",
    re.ASCII,
)


def with_default_image(meta: Any) -> Any:
    """Return `meta` with the default picture of today's Open WebUI in place of one of any version."""
    image = meta.get(IMAGE) if isinstance(meta, dict) else None
    if not isinstance(image, str) or image == DEFAULT_IMAGE or not _DEFAULTS.fullmatch(image):
        return meta
    return {**meta, IMAGE: DEFAULT_IMAGE}


def without_exposed_secrets(value: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return a model without the secrets in its `meta`, which every reader sees, and notes on its secrets.

    `params` stay as they are, and so does a text of `meta` that only may contain a secret. A model that is too large
    or too deep to be stored is returned as it is.
    """
    params, meta = value.get("params"), value.get("meta")
    aside = {}
    if isinstance(meta, dict) and isinstance(image := meta.get(IMAGE), str) and image.startswith(EMBEDDED):
        # An image looks random, and is checked as an image.
        aside = {IMAGE: image}
        meta = {name: held for name, held in meta.items() if name != IMAGE}
    if _is_longer([params, meta], MAX_SEARCHED):
        return value, ()
    try:
        notes = secrets_found({"params": params}, IN_PARAMS)
        kept, more = without_clear_secrets({"meta": meta}, IN_META)
    except RecursionError:
        return value, ()
    if kept["meta"] == meta:
        return value, (*notes, *more)
    return {**value, "meta": {**aside, **kept["meta"]}}, (*notes, *more)


def _is_longer(value: Any, most: int) -> bool:
    """Return whether the texts of a decoded JSON value have more than `most` characters in all."""
    length, pending = 0, [value]
    while pending and length <= most:
        current = pending.pop()
        if isinstance(current, str):
            length += len(current)
        elif isinstance(current, dict):
            length += sum(map(len, current))
            pending.extend(current.values())
        elif isinstance(current, list):
            pending.extend(current)
    return length > most
