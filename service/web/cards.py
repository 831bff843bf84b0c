"""A model as a card or a row of the catalogue: what a glance needs, and in bounds whatever is stored."""

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

MAX_DESCRIPTION = 240
MAX_TAGS = 5
HUES = 8

# By the words in a capability's name; the first that fits.
_ICONS = (
    (("vision", "image"), "eye"),
    (("tool", "function", "code", "computer"), "tool"),
    (("reason", "think"), "spark"),
    (("search", "web"), "globe"),
    (("pdf", "file", "citation", "document"), "page"),
    (("audio", "speech", "voice"), "sound"),
)
OTHER_ICON = "check"
# Those that people look for come before the others.
_FIRST = ("vision", "function_calling", "reasoning", "web_search", "pdf_input", "audio_input", "code_interpreter")


def card(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a card shows of an item of the list."""
    meta = item["meta"] if isinstance(item.get("meta"), Mapping) else {}
    description, tags = meta.get("description"), tag_names(meta)
    return {
        **{name: item[name] for name in ("id", "user_id", "access_grants", "is_active", "updated_at", "write_access")},
        "name": str(item["name"])[:512],
        "base": item["base_model_id"] if isinstance(item["base_model_id"], str) else None,
        "description": _shortened(description) if isinstance(description, str) else "",
        "tags": tags[:MAX_TAGS],
        "more_tags": max(0, len(tags) - MAX_TAGS),
        "capabilities": capabilities(meta),
        "owner": item["user"],
        "hue": hue(str(item["id"])),
        "initial": initial(str(item["name"])),
    }


def _shortened(text: str) -> str:
    text = " ".join(text[: 2 * MAX_DESCRIPTION].split())
    return text if len(text) <= MAX_DESCRIPTION else f"{text[:MAX_DESCRIPTION].rstrip()}…"


def tag_names(meta: Mapping[str, Any]) -> list[str]:
    """Return the names of the tags in `meta`, each once."""
    tags = meta.get("tags")
    names = [tag.get("name") if isinstance(tag, Mapping) else tag for tag in (tags if isinstance(tags, list) else ())]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def capabilities(meta: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
    """Return the capabilities in `meta` that are true: their names as people read them, and an icon each."""
    stored = meta.get("capabilities")
    names = [name for name, value in stored.items() if value is True] if isinstance(stored, Mapping) else []
    names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    return [{"name": name, "label": capability_label(name), "icon": _icon(name)} for name in names]


def capability_label(name: str) -> str:
    """Return the name of a capability as people read it."""
    return name.replace("_", " ")


def _icon(name: str) -> str:
    folded = name.casefold()
    return next((icon for words, icon in _ICONS if any(word in folded for word in words)), OTHER_ICON)


def hue(model_id: str) -> int:
    """Return which of the colours of models without an image one has; the same each time."""
    return crc32(model_id.encode(errors="replace")) % HUES


def initial(name: str) -> str:
    """Return the first letter or digit of a name."""
    return next((letter.upper() for letter in name if letter.isalnum()), "·")[:1]
