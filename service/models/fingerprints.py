"""Fingerprints of what a source said: enough to tell, field by field, what has changed since, without the content."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Self

from documents.grant import PrincipalType
from service.database.exact_bson import unordered_bytes, value_bytes
from service.models.record import Content

SCALARS = ("user_id", "base_model_id", "name", "is_active")
CONTAINERS = ("params", "meta")
GRANTS = "access_grants"
# A container with more members is compared as a whole.
MAX_MEMBERS = 200
# Of each path and of each value; two of them are one fingerprint. That of a grant has no value: it has the path of the
# grant here, and its path in the source, where a user can have another id.
_HASH_BYTES = 6
_PRINT_BYTES = 2 * _HASH_BYTES
_SEPARATOR = "."
# Not a field of a model: marks that it has gone.
_RETIRED = "retired"
_PARTS = 4
_GRANT = ("principal_type", "principal_id", "permission")

NOBODY: Mapping[str, Collection[str]] = MappingProxyType({})

# Names from the record to a value, such as `("params", "temperature")`; a name contains no NUL.
Path = tuple[str, ...]


@dataclass(frozen=True)
class ContainerPrints:
    """The fingerprints of `params` or `meta`: of the whole, and of each member unless there are very many.

    Only `ordered`, of the whole, depends on the order of names: that of the source is followed where it was not changed
    here. It also spares hashing the members of what has not changed.
    """

    whole: bytes
    ordered: bytes
    members: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, name: str, value: Mapping[str, Any]) -> Self:
        """Return the fingerprints of a container."""
        few = value if len(value) <= MAX_MEMBERS else {}
        members = frozenset(_print_of((name, member), few[member]) for member in few)
        return cls(_hash_of((name,), value), _ordered_hash(name, value), members)

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
    grants: frozenset[bytes] = frozenset()
    params: ContainerPrints | None = None
    meta: ContainerPrints | None = None

    @classmethod
    def of(
        cls, content: Content, known: "Fingerprints | None" = None, there: Mapping[str, Collection[str]] = NOBODY
    ) -> "Fingerprints":
        """Return the fingerprints of the fields that a content has.

        Where a container is as in `known`, its members are not hashed again. `there` has, for users who are called
        otherwise in the source, the ids that they have there.
        """
        fields = {_print_of((name,), content[name]) for name in SCALARS if name in content}
        here = grant_paths(content.get(GRANTS, ()))
        grants = {_hash(path) + _hash(other) for path in here for other in paths_there(path, there)}
        containers = {name: _container(name, content[name], known) for name in CONTAINERS if name in content}
        return cls(frozenset(fields), frozenset(grants), **containers)

    def following(self, last: "Fingerprints", unbrought: Iterable[Path] = ()) -> "Fingerprints":
        """Return these, and of the fields that the source does not mention now what it, or the import, gave `last`.

        The same goes for grants that it still gives, but that can't be given here now, such as to a group that does
        not exist. `unbrought` has their paths in the source. Those that were never brought are not among them.
        """
        unsaid = tuple(_hash((name,)) for name in SCALARS if not self.has((name,)))
        return Fingerprints(
            self.fields | {one for one in last.fields if one.startswith(unsaid)},
            self.grants | last._still_given(unbrought),
            self.params or last.params,
            self.meta or last.meta,
        )

    @classmethod
    def parse(cls, text: str) -> "Fingerprints":
        """Return the fingerprints from their text; raise ValueError for any other text, and for that of a draft."""
        raw = [urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split(_SEPARATOR)]
        if len(raw) != _PARTS:
            raise ValueError("must have four parts")
        fields, grants, params, meta = raw
        return cls(frozenset(_parts(fields)), frozenset(_parts(grants)), _parsed(params), _parsed(meta))

    @cached_property
    def paths(self) -> frozenset[bytes]:
        """The hashes of the paths of the fields and grants."""
        return _paths(self.fields | self.grants)

    @property
    def text(self) -> str:
        """The text that `parse` reads."""
        containers = (
            b"" if one is None else one.whole + one.ordered + _joined(one.members) for one in (self.params, self.meta)
        )
        return _SEPARATOR.join(
            urlsafe_b64encode(raw).decode().rstrip("=")
            for raw in (_joined(self.fields), _joined(self.grants), *containers)
        )

    def container(self, name: str) -> ContainerPrints | None:
        """Return the fingerprints of `params` or `meta`."""
        return self.params if name == "params" else self.meta

    def has(self, path: Path) -> bool:
        """Return whether the source gave anything at this path."""
        found = self.container(path[0]) if path[0] in CONTAINERS else self
        return found is not None and _hash(path) in found.paths

    def matches(self, path: Path, value: Any) -> bool:
        """Return whether the source gave this value at this path; of a grant, whether it gave it."""
        if path[0] == GRANTS:
            return self.has(path)
        found = self.container(path[0]) if path[0] in CONTAINERS else None
        prints = self.fields if path[0] not in CONTAINERS else found.members if found is not None else ()
        return _print_of(path, value) in prints

    def matches_whole(self, name: str, value: Mapping[str, Any]) -> bool:
        """Return whether the source gave this `params` or `meta`, in whatever order of names."""
        found = self.container(name)
        return found is not None and (self.matches_order(name, value) or found.whole == _hash_of((name,), value))

    def matches_order(self, name: str, value: Mapping[str, Any]) -> bool:
        """Return whether the source gave this `params` or `meta` in this order of names."""
        found = self.container(name)
        return found is not None and found.ordered == _ordered_hash(name, value)

    def gave_one_of(self, prints: AbstractSet[bytes]) -> bool:
        """Return whether the source gave one of these values of fields, see `field_print`."""
        return not prints.isdisjoint(self.fields)

    def still_gives(self, grants: Iterable[Mapping[str, Any]], unbrought: Iterable[Path]) -> list[Mapping[str, Any]]:
        """Return those grants of a record that the source gave under one of these paths there."""
        paths = _paths(self._still_given(unbrought))
        return [grant for path, grant in grant_paths(grants).items() if paths and _hash(path) in paths]

    def says_as(self, other: "Fingerprints") -> bool:
        """Return whether both are of the same content, whether or not it has gone from the source."""
        return self._content == other._content

    def describes(self, record: Content) -> bool:
        """Return whether a record is in all fields as the source, or the import, gave it last."""
        return self.says_as(Fingerprints.of({name: record[name] for name in (*SCALARS, *CONTAINERS, GRANTS)}, self))

    def equal_parts(self, record: Content) -> int:
        """Return how many fields, members and grants of a well-formed record are as the source gave them."""
        other = Fingerprints.of(record)
        pairs = [(self.container(name), other.container(name)) for name in CONTAINERS]
        members = sum(len(a.members & b.members) for a, b in pairs if a and b)
        return len(self.fields & other.fields) + len(_paths(self.grants) & _paths(other.grants)) + members

    @property
    def retired(self) -> bool:
        """Whether the model has gone from the source, and was retired here for that reason."""
        return self.has((_RETIRED,))

    @property
    def made_inactive(self) -> bool:
        """Whether the source had it active, and retiring it made it inactive."""
        return self.matches((_RETIRED,), True)

    def as_retired(self, *, inactive: bool) -> "Fingerprints":
        """Return the fingerprints of a model that has gone; `inactive` if that made it inactive here."""
        if inactive and self.matches(("is_active",), True):
            return self._with(_RETIRED, True)._with("is_active", False)
        return self._with(_RETIRED, False)

    def as_reactivated(self) -> "Fingerprints":
        """Return the fingerprints of a model that was `made_inactive` and that people made active since."""
        return self._with(_RETIRED, False)._with("is_active", True)

    @property
    def _content(self) -> tuple[Any, ...]:
        containers = [None if one is None else (one.whole, one.members) for one in (self.params, self.meta)]
        return self._without((_RETIRED,)), _paths(self.grants), *containers

    def _with(self, name: str, value: Any) -> "Fingerprints":
        return replace(self, fields=self._without((name,)) | {_print_of((name,), value)})

    def _without(self, path: Path) -> frozenset[bytes]:
        return frozenset(one for one in self.fields if not one.startswith(_hash(path)))

    def _still_given(self, unbrought: Iterable[Path]) -> frozenset[bytes]:
        there = {_hash(path) for path in unbrought}
        return frozenset(one for one in self.grants if one[_HASH_BYTES:] in there)


def field_print(name: str, value: Any) -> bytes:
    """Return the fingerprint of a value of one of the `SCALARS`."""
    return _print_of((name,), value)


def grant_path(grant: Mapping[str, Any]) -> Path:
    """Return the path of a grant."""
    return (GRANTS, *(str(grant[name]) for name in _GRANT))


def grant_paths(grants: Iterable[Mapping[str, Any]]) -> dict[Path, Mapping[str, Any]]:
    """Return the grants by their paths: each is a unit of its own, which is there or not."""
    return {grant_path(grant): grant for grant in grants}


def paths_there(path: Path, there: Mapping[str, Collection[str]]) -> list[Path]:
    """Return the paths that a grant has in the source."""
    grants, principal_type, principal_id, permission = path
    names = there.get(principal_id, ()) if principal_type == PrincipalType.USER else ()
    return [(grants, principal_type, name, permission) for name in names or (principal_id,)]


def _container(name: str, value: Mapping[str, Any], known: Fingerprints | None) -> ContainerPrints:
    earlier = None if known is None else known.container(name)
    # The usual case; to hash each member takes much longer.
    if earlier is not None and earlier.ordered == _ordered_hash(name, value):
        return earlier
    return ContainerPrints.of(name, value)


def _parsed(raw: bytes) -> ContainerPrints | None:
    if not raw:
        return None
    if len(raw) < _PRINT_BYTES:
        raise ValueError("is cut off")
    return ContainerPrints(raw[:_HASH_BYTES], raw[_HASH_BYTES:_PRINT_BYTES], frozenset(_parts(raw[_PRINT_BYTES:])))


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
    return _hash_of_bytes(path, unordered_bytes(value))


def _ordered_hash(name: str, value: Mapping[str, Any]) -> bytes:
    return _hash_of_bytes((name,), value_bytes(value))


def _hash_of_bytes(path: Path, value: bytes) -> bytes:
    return blake2b("\0".join(path).encode() + b"\0\0" + value, digest_size=_HASH_BYTES).digest()


def _print_of(path: Path, value: Any) -> bytes:
    return _hash(path) + _hash_of(path, value)
