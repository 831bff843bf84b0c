"""What the import of Open WebUI 0.12 accepts in `meta` and `params`: it refuses a whole file for one other value."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from documents.freeform import is_list, is_object, is_text
from documents.image import IMAGE

_FILE_ID = r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
_FILE = re.compile(_FILE_ID)
_BACKGROUND = re.compile(r"/api/v1/files/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/content")
_OWN_PICTURE = re.compile(r"|/user\.png|/favicon\.png|/static/favicon\.png|/api/v1/users/[^/?#]+/profile/image")
_EMBEDDED = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,", re.IGNORECASE)
_CONTROL = re.compile(r"(?!(?:constructor|prototype)\Z)[A-Za-z][A-Za-z0-9_-]*")
_GESTURE = re.compile(r"[a-z][a-z0-9_]{0,47}")
_STATES = ("idle", "listening", "speaking")
# What an earlier version had there, and this one ignores.
_OLD_AVATAR = ("preset", "movement", "mouth", "gaze")
_MAX_VOICE, _MAX_GESTURES, _MAX_DESCRIPTION = 200, 16, 500

CONTROLS = "model_controls"
MAX_QUOTED = 60


def accepted_meta(meta: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the fields of `meta` that Open WebUI accepts, and a problem for each of the others."""
    if not isinstance(meta, dict):
        return {}, [_problem("meta", "an object")]
    kept, problems = dict(meta), []
    for name, (accepts, allowed) in _META.items():
        if meta.get(name) is not None and not accepts(meta[name]):
            del kept[name]
            problems.append(_problem(f"meta.{name}", allowed))
    return kept, problems


def accepted_params(params: Any) -> tuple[dict[str, Any], list[str]]:
    """Return `params` with those of its controls that Open WebUI accepts, and a problem for each of the others."""
    if not isinstance(params, dict):
        return {}, [_problem("params", "an object")]
    if CONTROLS not in params:
        return params, []
    controls = params[CONTROLS]
    if not isinstance(controls, dict):
        rest = {name: value for name, value in params.items() if name != CONTROLS}
        return rest, [_problem(f"params.{CONTROLS}", "an object")]
    wrong = {name: allowed for name, control in controls.items() if (allowed := _control_problem(name, control))}
    kept = {name: control for name, control in controls.items() if name not in wrong}
    return {**params, CONTROLS: kept}, [
        _problem(f"params.{CONTROLS}.{_shown(name)}", allowed) for name, allowed in wrong.items()
    ]


def _problem(where: str, allowed: str) -> str:
    return f"{where}: left out; Open WebUI accepts {allowed} there"


def _shown(name: str) -> str:
    return name if len(name) <= MAX_QUOTED and name.isidentifier() else repr(name[:MAX_QUOTED])


def _is_picture(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    if _OWN_PICTURE.fullmatch(value) or _EMBEDDED.match(value):
        return True
    try:
        address = urlsplit(value)
        return address.scheme in ("http", "https") and bool(address.hostname)
    except ValueError:
        return False


def _is_background(value: Any) -> bool:
    return isinstance(value, str) and _BACKGROUND.fullmatch(value) is not None


def _is_voice(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    voice = value.get("voice")
    if voice is None:
        return True
    return isinstance(voice, str) and 0 < len(voice) <= _MAX_VOICE and not any(map(str.isspace, voice))


def _is_avatar(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    fields = {name: held for name, held in value.items() if name not in _OLD_AVATAR}
    states, gestures = fields.pop("states", {}), fields.pop("gestures", [])
    if not _is_animation(fields) or not isinstance(states, dict) or not isinstance(gestures, list):
        return False
    if not all(name in _STATES and _is_animation(held) for name, held in states.items()):
        return False
    if len(gestures) > _MAX_GESTURES or not all(map(_is_gesture, gestures)):
        return False
    return len({gesture["name"] for gesture in gestures}) == len(gestures)


def _is_animation(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"file_id"} and _matches(_FILE, value["file_id"])


def _is_gesture(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {"file_id", "name", "description"}:
        return False
    described = value["description"]
    return (
        _matches(_FILE, value["file_id"])
        and _matches(_GESTURE, value["name"])
        and isinstance(described, str)
        and 0 < len(described) <= _MAX_DESCRIPTION
        and bool(described.strip())
    )


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _control_problem(name: str, control: Any) -> str | None:
    """Return what would be accepted in the place of a control, None if it is accepted itself."""
    return next(_control_problems(name, control), None)


def _control_problems(name: str, control: Any) -> Iterator[str]:
    if not _matches(_CONTROL, name):
        yield "a name of letters, digits, _ and - that begins with a letter"
    if not isinstance(control, dict):
        yield "an object"
        return
    options, default = control.get("options"), control.get("default")
    if control.get("display", "menu") not in ("menu", "slider"):
        yield "a display of menu or slider"
    if not _has_words(control.get("label")):
        yield "a label"
    if not isinstance(control.get("description"), str | None):
        yield "a description that is text"
    if not isinstance(options, dict) or not options or not all(map(_is_option, options, options.values())):
        yield "options, each with a label and params"
        return
    if control.get("display") == "slider" and len(options) < 2:
        yield "two options of a slider or more"
    if default is not None and (not isinstance(default, str) or default not in options):
        yield "a default that is one of the options"


def _is_option(name: str, option: Any) -> bool:
    return (
        _matches(_CONTROL, name)
        and isinstance(option, dict)
        and _has_words(option.get("label"))
        and isinstance(option.get("params"), dict)
    )


def _has_words(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


# What is accepted in a field of `meta`, apart from null, and how to say so.
_META: dict[str, tuple[Callable[[Any], bool], str]] = {
    IMAGE: (_is_picture, "/static/favicon.png, a web address or an embedded image"),
    "background_image_url": (_is_background, "the address of one of its files"),
    "description": (is_text, "text"),
    "i18n": (is_object, "an object"),
    "capabilities": (is_object, "an object"),
    "knowledge": (is_list, "a list"),
    "voice": (_is_voice, "an object with a voice of 1 to 200 characters without spaces"),
    "voice_avatar": (_is_avatar, "an object with the id of a file, states and gestures"),
}
