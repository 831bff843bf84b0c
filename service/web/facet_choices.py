"""The filters beside the catalogue: each value with the number of models that have it, and what is chosen."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.web.cards import capability_label
from service.web.rendering import link
from service.web.view import PERIODS, View

Facets = Mapping[str, Sequence[Mapping[str, Any]]]
Labels = Mapping[str, Mapping[str, str]]

SHOWN, MOST = 7, 20
_TITLES = {"group": "Team", "tag": "Tag", "owner": "Owner", "base_model_id": "Base model", "capability": "Capability"}
_WORDS = {
    "kind": {"custom": "Has a base model", "base": "Is a base model"},
    "is_active": {"true": "Active", "false": "Inactive"},
    "view_option": {"created": "Mine", "shared": "Shared with me"},
}


def sections(view: View, counted: Facets, labels: Labels, groups: Sequence[str]) -> list[dict[str, Any]]:
    """Return the filters in order: those of which several values can be chosen, then those with one."""
    several = [_group_section(view, labels["group"], groups)] if groups or view.params.group else []
    several += [_section(view, name, counted[name]) for name in ("tag", "owner", "base_model_id", "capability")]
    single = [_single(view, name, title, counted[name]) for name, title in (("is_active", "State"), ("kind", "Kind"))]
    return [section for section in [*several, *single] if section["options"]]


def _group_section(view: View, names: Mapping[str, str], groups: Sequence[str]) -> dict[str, Any]:
    every = dict.fromkeys([*groups, *view.params.group])
    options = [_option("group", group, names.get(group, group), None, view) for group in every]
    return {"name": "group", "title": _TITLES["group"], "options": options[:MOST], "rest": [], "single": False}


def _section(view: View, name: str, counted: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    options = [_option(name, one["value"], _label(name, one), one["count"], view) for one in counted[:MOST]]
    present = {option["value"].casefold() for option in options}
    # What is chosen can be unchosen, however rare it is.
    values: Sequence[str] = getattr(view.params, name)
    missing = [_option(name, value, value, None, view) for value in values if value.casefold() not in present]
    options = sorted([*missing, *options], key=lambda option: not option["chosen"])
    return {
        "name": name,
        "title": _TITLES[name],
        "options": options[:SHOWN],
        "rest": options[SHOWN:],
        "single": False,
    }


def _label(name: str, one: Mapping[str, Any]) -> str:
    value = str(one["value"])
    return capability_label(value) if name == "capability" else str(one.get("label", value))


def _option(name: str, value: str, label: str, count: int | None, view: View) -> dict[str, Any]:
    values: Sequence[str] = getattr(view.params, name)
    is_chosen = value.casefold() in {one.casefold() for one in values}
    return {"value": value, "label": label, "count": count, "chosen": is_chosen}


def _single(view: View, name: str, title: str, counted: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counts = {str(one["value"]).lower(): one["count"] for one in counted}
    asked = view.value(name) or ""
    options = [{"value": "", "label": "Any", "count": None, "chosen": not asked}]
    options += [
        {"value": value, "label": label, "count": counts.get(value, 0), "chosen": asked == value}
        for value, label in _WORDS[name].items()
    ]
    return {"name": name, "title": title, "options": options, "rest": [], "single": True}


def chosen(view: View, labels: Labels) -> list[dict[str, str]]:
    """Return the filters of a view in words, each with the address of the view without it."""
    found = []
    for name, value in view.pairs:
        said = _said(name, value, labels)
        if said is not None:
            found.append({"label": said, "href": link("/") + view.address(without=[(name, value)])})
    return found


def _said(name: str, value: str, labels: Labels) -> str | None:
    if name in _WORDS:
        return _WORDS[name].get(value, value)
    if name in PERIODS or name == "changed":
        return f"Changed: {PERIODS[value][1].lower()}" if value in PERIODS else None
    if name in _TITLES:
        return f"{_TITLES[name]}: {labels.get(name, {}).get(value, value)}"
    return {
        "query": f"“{value}”",
        "created_since": f"Created since {value}",
        "updated_since": f"Changed since {value}",
        "id": f"Id: {value}",
    }.get(name)
