"""A second, naive implementation of the documented list and access rule, on the records of a bundle.

It shares no code with the service, so that both have the same error only if the documentation has it.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

Record = Mapping[str, Any]
Parameters = Mapping[str, str | int | list[str]]
# The kind, the permission, and the groups from the user's own group up to the one with the grant.
Path = tuple[str, str, tuple[str, ...]]

EVERYONE = ("user", "*")
PAGE_SIZE = 30
# Fields that an item copies from its record; the other compared fields depend on the caller.
PLAIN_FIELDS = ("id", "user_id", "base_model_id", "name", "is_active", "created_at", "updated_at")
COMPARED_FIELDS = (*PLAIN_FIELDS, "params", "write_access", "user")


@cache
def fold(text: str) -> str:
    """Return `text` in the form in which it is compared regardless of case."""
    return unicodedata.normalize("NFKC", text).casefold()


class Oracle:
    """Computes the expected response for every user; `users` are those who exist now."""

    def __init__(self, users: Iterable[Record], groups: Iterable[Record], models: Iterable[Record]) -> None:
        self._users = {user["id"]: user for user in users}
        self._groups = {group["id"]: group for group in groups}
        self._models = {model["id"]: model for model in models}
        self._principals = {user_id: self._principals_of(user_id) for user_id in self._users}

    def answer(self, user_id: str, parameters: Parameters, *, literal: bool = False) -> dict[str, Any]:
        """Return the expected response to a list request, with the compared fields of its items.

        With `literal`, as in the compatibility API, a query is one text.
        """
        ordered = self.ordered(user_id, parameters, literal=literal)
        size = int(str(parameters.get("page_size", PAGE_SIZE)))
        start = (int(str(parameters.get("page", 1))) - 1) * size
        page = ordered[start : start + size]
        items = [self._item(user_id, self._models[model_id]) for model_id in page]
        return {"items": items, "total": len(ordered), "more": start + size < len(ordered)}

    def ordered(self, user_id: str, parameters: Parameters, *, literal: bool = False) -> list[str]:
        """Return the ids of all matching models in order, regardless of the page."""
        field = str(parameters.get("order_by", "created_at"))
        query = str(parameters.get("query", "")).strip()
        terms = [query] if literal and query else terms_of(query)
        keys: list[tuple[Any, str]] = []
        for model in self._models.values():
            if self._can(user_id, model, writing=False) and self._matches(user_id, model, parameters, terms):
                name = fold(model["name"])
                values = {"name": name, "relevance": (not (terms and name.startswith(fold(terms[0]))), name)}
                keys.append((values.get(field, model.get(field)), model["id"]))
        keys.sort(reverse=field != "relevance" and parameters.get("direction", "desc") == "desc")
        return [model_id for _, model_id in keys]

    def facets(self, user_id: str, parameters: Parameters, names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the expected facets, each with the values of all models that match without the filter of one value."""
        return {name: self._facet(user_id, parameters, name) for name in names}

    def _facet(self, user_id: str, parameters: Parameters, name: str) -> list[dict[str, Any]]:
        single = {"owner", "base_model_id", "kind", "is_active"}
        others = {key: value for key, value in parameters.items() if key != name or name not in single}
        counts, spelled = Counter[Any](), Counter[str]()
        for model in (self._models[model_id] for model_id in self.ordered(user_id, others)):
            tags = {tag["name"].strip() for tag in model["meta"].get("tags", ())}
            able = model["meta"].get("capabilities", {})
            values: dict[str, set[Any]] = {
                "tag": {fold(tag) for tag in tags},
                "capability": {key for key, value in able.items() if value is True},
                "owner": {model["user_id"]},
                "base_model_id": {model["base_model_id"]} - {None},
                "kind": {"custom" if model["base_model_id"] is not None else "base"},
                "is_active": {model["is_active"]},
            }
            counts.update(values[name])
            spelled.update(tags)
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:50]
        labels: dict[Any, str] = {}
        if name == "owner":
            labels = {key: user["name"] for key, user in self._users.items()}
        elif name == "tag":
            for tag in sorted(spelled, key=lambda tag: (-spelled[tag], tag)):
                labels.setdefault(fold(tag), tag)
        return [
            {"value": value, **({"label": labels[value]} if value in labels else {}), "count": count}
            for value, count in ranked
        ]

    def readers(self, model_id: str) -> dict[str, tuple[str, set[Path]]]:
        """Return the active users who may read a model, each with their highest permission and all paths to it."""
        model = self._models[model_id]
        return {
            user_id: ("write" if self._can(user_id, model, writing=True) else "read", self._paths(user_id, model))
            for user_id, user in self._users.items()
            if user.get("is_active", True) and self._can(user_id, model, writing=False)
        }

    def item(self, user_id: str, model_id: str) -> dict[str, Any] | None:
        """Return the compared fields of a model for a user; None if they may not read it."""
        model = self._models.get(model_id)
        return self._item(user_id, model) if model and self._can(user_id, model, writing=False) else None

    def is_admin(self, user_id: str) -> bool:
        """Say whether a user is an admin."""
        return bool(self._users[user_id]["role"] == "admin")

    def may_manage(self, user_id: str, model_id: str) -> bool:
        """Say whether a user may change the grants of a model."""
        return bool(self._users[user_id]["role"] == "admin" or self._models[model_id]["user_id"] == user_id)

    def readable(self, user_id: str) -> list[Record]:
        """Return all models that a user may read, by id."""
        found = [model for model in self._models.values() if self._can(user_id, model, writing=False)]
        return sorted(found, key=lambda model: str(model["id"]))

    def tags(self, user_id: str) -> list[str]:
        """Return the tags of all models that a user may read, each in the spelling that most of these have."""
        models = [{tag["name"].strip() for tag in model["meta"].get("tags", ())} for model in self.readable(user_id)]
        counts = Counter(name for names in models for name in names)
        ranked = sorted(counts, key=lambda name: (-counts[name], name))
        return sorted({fold(name): name for name in reversed(ranked)}.values())

    def texts(self, model: Record) -> list[str]:
        """Return the searched texts; a search must find any part of each, but no match across two of them."""
        owner = self._users.get(model["user_id"], {})
        texts = [model["name"], model["base_model_id"], *(owner.get(field) for field in ("name", "email", "username"))]
        return [text for text in texts if text is not None]

    def _item(self, user_id: str, model: Record) -> dict[str, Any]:
        may_write = self._can(user_id, model, writing=True)
        owner = self._users.get(model["user_id"])
        return {
            **{field: model[field] for field in PLAIN_FIELDS},
            "params": model["params"] if may_write else {},
            "write_access": may_write,
            "user": {field: owner[field] for field in ("id", "name", "email")} if owner else None,
        }

    def _can(self, user_id: str, model: Record, *, writing: bool) -> bool:
        if self._users[user_id]["role"] == "admin" or model["user_id"] == user_id:
            return True
        for grant in model["access_grants"]:
            granted = (grant["principal_type"], grant["principal_id"])
            if granted in self._principals[user_id] and (grant["permission"] == "write" or not writing):
                return True
        return False

    def _principals_of(self, user_id: str) -> set[tuple[str, str]]:
        principals = {EVERYONE, ("user", user_id)}
        for group in self._groups.values():
            if user_id in group["member_ids"]:
                current: str | None = group["id"]
                while current is not None:
                    principals.add(("group", current))
                    current = self._groups[current]["parent_id"]
        return principals

    def _paths(self, user_id: str, model: Record) -> set[Path]:
        paths: set[Path] = set()
        if model["user_id"] == user_id:
            paths.add(("owner", "write", ()))
        if self._users[user_id]["role"] == "admin":
            paths.add(("admin", "write", ()))
        for grant in model["access_grants"]:
            granted = (grant["principal_type"], grant["principal_id"])
            if granted not in self._principals[user_id]:
                continue
            via = self._shortest_way(user_id, granted[1]) if granted[0] == "group" else ()
            by_itself = "public" if granted == EVERYONE else "user"
            kind = (by_itself, "group", "ancestor_group")[min(len(via), 2)]
            paths.add((kind, grant["permission"], via))
        return paths

    def _shortest_way(self, user_id: str, group_id: str) -> tuple[str, ...]:
        own = [group["id"] for group in self._groups.values() if user_id in group["member_ids"]]
        lines = [line[: line.index(group_id) + 1] for line in map(self._line, own) if group_id in line]
        return min(lines, key=lambda line: (len(line), line))

    def _line(self, group_id: str) -> tuple[str, ...]:
        parent = self._groups[group_id]["parent_id"]
        return (group_id, *(self._line(parent) if parent is not None else ()))

    def _matches(self, user_id: str, model: Record, parameters: Parameters, terms: list[str]) -> bool:
        own, custom, active = model["user_id"] == user_id, model["base_model_id"] is not None, model["is_active"]
        return (
            _holds(parameters, "view_option", {"created": own, "shared": not own})
            and _holds(parameters, "kind", {"custom": custom, "base": not custom})
            and _holds(parameters, "is_active", {"true": active, "false": not active})
            and all(has_tag(model, tag) for tag in _values(parameters, "tag") if tag.strip())
            and ("id" not in parameters or model["id"] in _values(parameters, "id"))
            and ("base_model_id" not in parameters or model["base_model_id"] in _values(parameters, "base_model_id"))
            and ("owner" not in parameters or any(self._owned_by(model, one) for one in _values(parameters, "owner")))
            and all(
                model["meta"].get("capabilities", {}).get(name) is True for name in _values(parameters, "capability")
            )
            and all(
                model[field] >= _seconds(moment)
                for field in ("created_at", "updated_at")
                for moment in _values(parameters, field.replace("_at", "_since"))
            )
            and self._found_by(terms, model, described="in" in parameters)
        )

    def _owned_by(self, model: Record, named: str) -> bool:
        owner = self._users.get(model["user_id"])
        return named == model["user_id"] or (owner is not None and fold(owner["email"]) == fold(named))

    def _found_by(self, terms: list[str], model: Record, *, described: bool) -> bool:
        searched = [*self.texts(model), *([model["meta"].get("description", "")] if described else [])]
        return all(any(fold(term) in fold(text) for text in searched) for term in terms)


def terms_of(query: str) -> list[str]:
    """Return the words of a query, and its phrases: from a quotation mark before a word to one after a word."""
    words, at = [], 0
    while at < len(query):
        if query[at].isspace():
            at += 1
            continue
        ends = [end for end in range(at + 1, len(query) + 1) if end == len(query) or query[end].isspace()]
        closing = [end for end in ends if end - at > 2 and query[end - 1] == '"'] if query[at] == '"' else []
        words.append(query[at + 1 : closing[0] - 1] if closing else query[at : ends[0]])
        at = closing[0] if closing else ends[0]
    return words


def _holds(parameters: Parameters, name: str, meanings: Mapping[str, bool]) -> bool:
    return name not in parameters or meanings[str(parameters[name])]


def _values(parameters: Parameters, name: str) -> list[str]:
    given = parameters.get(name, [])
    return given if isinstance(given, list) else [str(given)]


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() if "T" in moment else int(moment)


def has_tag(model: Record, tag: str) -> bool:
    """Say whether a model has a tag, in any case."""
    return any(fold(own["name"].strip()) == fold(tag.strip()) for own in model["meta"].get("tags", ()))


def compared(page: Record) -> dict[str, Any]:
    """Return of an answer of the service what the oracle computes too."""
    items = [{field: item[field] for field in COMPARED_FIELDS} for item in page["items"]]
    return {"items": items, "total": page["total"], "more": page["next_cursor"] is not None}


def difference(user_id: str, parameters: Parameters, expected: Record, actual: Record) -> str:
    """Return a message about a difference that can be understood without running the test again."""
    lines = [f"user {user_id!r} with {json.dumps(parameters)}"]
    for title, answer in (("expected", expected), ("actual", actual)):
        ids = [item["id"] for item in answer.get("items", ())]
        lines.append(f"  {title}: total {answer.get('total')}, ids {ids}, {answer.get('text', '')}")
    for wanted, found in zip(expected["items"], actual.get("items", ()), strict=False):
        if wanted != found:
            lines += ["  the first items that differ:", f"    expected {wanted}", f"    actual   {found}"]
            break
    return "\n".join(lines)
