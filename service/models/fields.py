"""The fields of an item that a client asks for, so that nothing else is read and shown."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from service.models.item import LARGE, NEEDED_OF_OWNER, WITHOUT_LARGE, gathered_with_owners, with_owners

# What each field is made of; `id` is always there.
_MADE_OF: Mapping[str, tuple[str, ...]] = {
    "id": (),
    **{name: (name,) for name in ("user_id", "base_model_id", "name")},
    "params": ("params", "keys.writers"),
    "meta": ("meta",),
    "access_grants": ("access_grants",),
    "is_active": ("is_active",),
    "write_access": ("keys.writers",),
    "user": NEEDED_OF_OWNER,
    **{name: (name,) for name in ("version", "created_at", "updated_at")},
}
_FREE_FORM = ("params", "meta")
# These can be large.
_CONTAINERS = {*_FREE_FORM, "access_grants"}
ALLOWED = (*_MADE_OF, *(f"{name}.<name>" for name in _FREE_FORM))
MAX_NAMES = 50
# Other names would mean something else in a path of MongoDB.
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Fields:
    """Some fields of an item: whole ones, and parts of free-form ones, such as `meta.description`."""

    whole: frozenset[str]
    parts: tuple[tuple[str, str], ...]

    @classmethod
    def named(cls, text: str) -> Self:
        """Return the fields that a comma-separated list names; raise ValueError for one that does not exist."""
        names = list(dict.fromkeys(name.strip() for name in text.split(",")))
        if len(names) > MAX_NAMES:
            raise ValueError(f"must name at most {MAX_NAMES} fields")
        whole = frozenset(name for name in names if name in _MADE_OF)
        parts = [(outer, inner) for outer, _, inner in (name.partition(".") for name in names if name not in whole)]
        if not all(outer in _FREE_FORM and inner for outer, inner in parts):
            raise ValueError(f"must name fields of a model, separated by commas: {', '.join(ALLOWED)}")
        return cls(whole | {"id"}, tuple(part for part in parts if part[0] not in whole))

    def stages(self, also: Sequence[str], *, gathered: bool = False) -> list[dict[str, Any]]:
        """Return the stages that turn records into what these fields are made of, and into the paths in `also`.

        When `gathered`, what they yield is for `with_gathered_owners`.
        """
        paths = {path for name in self.whole for path in _MADE_OF[name]} | {*also, LARGE}
        for outer, inner in self.parts:
            paths |= {f"{outer}.{inner}" if _PLAIN.fullmatch(inner) else outer, *_MADE_OF[outer][1:]}
        # A path and a part of it must not be projected together.
        paths = {path for path in paths if not any(path.startswith(f"{other}.") for other in paths)}
        large = [WITHOUT_LARGE] if self.parts or self.whole & _CONTAINERS else []
        needed = sorted(paths)
        owned = gathered_with_owners if gathered else with_owners
        first, *others = owned(needed) if "user" in self.whole else [{"$project": dict.fromkeys(needed, 1)}]
        return [first, *large, *others]

    def of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return these fields of an item."""
        shown = {name: value for name, value in item.items() if name in self.whole}
        for outer, inner in self.parts:
            part = shown.setdefault(outer, {})
            # What was written past the service may be no object.
            if isinstance(item[outer], Mapping) and inner in item[outer]:
                part[inner] = item[outer][inner]
        return shown
