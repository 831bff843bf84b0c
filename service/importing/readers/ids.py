"""Ids made from names, where another system allows what no id here may have."""

import re
from hashlib import blake2b

from pydantic import TypeAdapter, ValidationError

from documents.text import PrincipalId

MAX_SLUG_LENGTH = 200
_DIGEST_BYTES = 5
_NOT_IN_SLUG = re.compile(r"[^\w.]+")
_PRINCIPAL_ID = TypeAdapter[str](PrincipalId)


def principal_id_of(name: str) -> str:
    """Return the name of a user or group itself if it can be an id, else an id made from it; no two names share one.

    The caller refuses a name that is blank or `*`.
    """
    try:
        return _PRINCIPAL_ID.validate_python(name)
    except ValidationError:
        return derived_id(name, name)


def derived_id(name: str, identity: str, *, otherwise: str = "unnamed") -> str:
    """Return an id that begins with a readable form of the name and ends with a digest of the identity."""
    return f"{slug(name, otherwise)}-{digest(identity)}"


def slug(name: str, otherwise: str) -> str:
    """Return a readable form of a name that can be a part of an id, or `otherwise` if nothing of it can."""
    return _NOT_IN_SLUG.sub("-", name.casefold()).strip("-.")[:MAX_SLUG_LENGTH] or otherwise


def digest(text: str) -> str:
    """Return ten hexadecimal digits that identify a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
