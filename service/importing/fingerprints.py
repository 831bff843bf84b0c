"""Fingerprints of what a source said: enough to tell, field by field, what has changed since, without the content."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, Self

from service.database.exact_bson import value_bytes
from service.models.record import Content

SCALARS = ("user_id", "base_model_id", "name", "is_active")
CONTAINERS = ("params", "meta")
GRANTS = "access_grants"
# A container with more members is compared as a whole.
MAX_MEMBERS = 200
# Of each path and of each value; two of them are one fingerprint.
_HASH_BYTES = 6
_PRINT_BYTES = 2 * _HASH_BYTES
_SEPARATOR = "."
# Not a field of a model: marks that it has gone.
_RETIRED = "retired"
_GRANT = ("principal_type", "principal_id", "permission")

# Names from the record to a value, such as `("params", "temperature")`; a name contains no NUL.
Path = tuple[str, ...]


@dataclass(frozen=True)
class ContainerPrints:
    """The fingerprints of `params` or `meta`: of the whole, and of each member unless there are very many."""

    whole: bytes
    members: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, name: str, value: Mapping[str, Any]) -> Self:
        """Return the fingerprints of a container."""
        few = value if len(value) <= MAX_MEMBERS else {}
        return cls(_hash_of((name,), value), frozenset(_print_of((name, member), few[member]) for member in few))

    @cached_property
    def paths(self) -> frozenset[bytes]:
        """The hashes of the paths of its members."""
        return _paths(self.members)

    def is_large(self, name: str) -> bool:
        """Return whether it had so many members that they have no fingerprints."""
        return not self.members and self.whole != _hash_of((name,), {})


@dataclass(frozen=True)
class Fingerprints:
    """What a source said of a model, as fingerprints; None for a container that it never mentioned."""

    fields: frozenset[bytes] = frozenset()
    params: ContainerPrints | None = None
    meta: ContainerPrints | None = None

    @classmethod
    def of(cls, content: Content, last: "Fingerprints | None" = None) -> "Fingerprints":
        """Return the fingerprints of the fields that a source gives; those of others are as they were `last`."""
        fields = {_print_of((name,), content[name]) for name in SCALARS if name in content}
        fields |= {_print_of(path, True) for path in grant_paths(content.get(GRANTS, ()))}
        containers = {name: _container(name, content, last) for name in CONTAINERS}
        found = cls(frozenset(fields), **containers)
        if last is None:
            return found
        unsaid = tuple(_hash((name,)) for name in SCALARS if name not in content)
        return replace(found, fields=found.fields | {one for one in last.fields if one.startswith(unsaid)})

    @classmethod
    def parse(cls, text: str) -> "Fingerprints":
        """Return the fingerprints from their text; raise ValueError for any other text."""
        fields, *containers = (urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split(_SEPARATOR))
        if len(containers) != len(CONTAINERS):
            raise ValueError("must have three parts")
        parsed = [
            ContainerPrints(raw[:_HASH_BYTES], frozenset(_parts(raw[_HASH_BYTES:]))) if raw else None
            for raw in containers
        ]
        return cls(frozenset(_parts(fields)), *parsed)

    @cached_property
    def paths(self) -> frozenset[bytes]:
        """The hashes of the paths of the fields and grants."""
        return _paths(self.fields)

    @property
    def text(self) -> str:
        """The text that `parse` reads."""
        containers = (b"" if one is None else one.whole + _joined(one.members) for one in (self.params, self.meta))
        return _SEPARATOR.join(
            urlsafe_b64encode(raw).decode().rstrip("=") for raw in (_joined(self.fields), *containers)
        )

    def container(self, name: str) -> ContainerPrints | None:
        """Return the fingerprints of `params` or `meta`."""
        return self.params if name == "params" else self.meta

    def has(self, path: Path) -> bool:
        """Return whether the source gave anything at this path."""
        found = self.container(path[0]) if path[0] in CONTAINERS else self
        return found is not None and _hash(path) in found.paths

    def matches(self, path: Path, value: Any) -> bool:
        """Return whether the source gave this value at this path."""
        found = self.container(path[0]) if path[0] in CONTAINERS else None
        prints = self.fields if path[0] not in CONTAINERS else found.members if found is not None else ()
        return _print_of(path, value) in prints

    def matches_whole(self, name: str, value: Mapping[str, Any]) -> bool:
        """Return whether the source gave this `params` or `meta`, in this order of names."""
        found = self.container(name)
        return found is not None and found.whole == _hash_of((name,), value)

    def gave_one_of(self, prints: AbstractSet[bytes]) -> bool:
        """Return whether the source gave one of these values of fields, see `field_print`."""
        return not prints.isdisjoint(self.fields)

    @property
    def retired(self) -> bool:
        """Whether the model has gone from the source, and was retired here for that reason."""
        return self.has((_RETIRED,))

    @property
    def unmarked(self) -> "Fingerprints":
        """The fingerprints without the mark of a model that has gone."""
        return replace(self, fields=self._without((_RETIRED,)))

    def as_retired(self, *, inactive: bool) -> "Fingerprints":
        """Return the fingerprints of a model that has gone; `inactive` if that made it inactive here."""
        marked = replace(self, fields=self.fields | {_print_of((_RETIRED,), True)})
        return marked.with_scalar("is_active", False) if inactive else marked

    def with_scalar(self, name: str, value: Any) -> "Fingerprints":
        """Return the fingerprints with another value of one field."""
        return replace(self, fields=self._without((name,)) | {_print_of((name,), value)})

    def describes(self, record: Content) -> bool:
        """Return whether a record is in all fields as the source gave it."""
        given = [name for name in SCALARS if self.has((name,))]
        given += [name for name in CONTAINERS if self.container(name) is not None]
        return Fingerprints.of({name: record[name] for name in (*given, GRANTS)}, self) == self.unmarked

    def equal_parts(self, record: Content) -> int:
        """Return how many fields, members and grants of a well-formed record are as the source gave them."""
        other = Fingerprints.of(record)
        pairs = [(self.container(name), other.container(name)) for name in CONTAINERS]
        return len(self.fields & other.fields) + sum(len(a.members & b.members) for a, b in pairs if a and b)

    def _without(self, path: Path) -> frozenset[bytes]:
        return frozenset(one for one in self.fields if not one.startswith(_hash(path)))


def field_print(name: str, value: Any) -> bytes:
    """Return the fingerprint of a value of one of the `SCALARS`."""
    return _print_of((name,), value)


def grant_paths(grants: Iterable[Mapping[str, Any]]) -> dict[Path, Mapping[str, Any]]:
    """Return the grants by their paths: each is a unit of its own, which is there or not."""
    return {(GRANTS, *(str(grant[name]) for name in _GRANT)): grant for grant in grants}


def _container(name: str, content: Content, last: Fingerprints | None) -> ContainerPrints | None:
    earlier = None if last is None else last.container(name)
    if name not in content:
        return earlier
    # The usual case; to hash each member takes much longer.
    if last is not None and last.matches_whole(name, content[name]):
        return earlier
    return ContainerPrints.of(name, content[name])


def _parts(raw: bytes) -> Iterator[bytes]:
    if len(raw) % _PRINT_BYTES:
        raise ValueError("is cut off")
    return (raw[start : start + _PRINT_BYTES] for start in range(0, len(raw), _PRINT_BYTES))


def _paths(prints: frozenset[bytes]) -> frozenset[bytes]:
    return frozenset(one[:_HASH_BYTES] for one in prints)


def _joined(prints: frozenset[bytes]) -> bytes:
    return b"".join(sorted(prints))


def _hash(path: Path) -> bytes:
    return blake2b("\0".join(path).encode(), digest_size=_HASH_BYTES).digest()


def _hash_of(path: Path, value: Any) -> bytes:
    named = "\0".join(path).encode()
    return blake2b(named + b"\0\0" + value_bytes(value), digest_size=_HASH_BYTES).digest()


def _print_of(path: Path, value: Any) -> bytes:
    return _hash(path) + _hash_of(path, value)
