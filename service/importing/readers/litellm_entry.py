"""One entry of a LiteLLM proxy as a model: what identifies it, and what its odd parts become."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from documents.model import tidy_meta
from documents.text import text_problem
from service.importing.readers.ids import derived_id, principal_id_of, slug
from service.importing.readers.litellm_lists import INFO, NAME, PARAMS
from service.importing.readers.litellm_meta import meta_of, typed_value
from service.importing.readers.redact import safe_name
from service.importing.readers.secret_texts import looks_secret

ACCESS_GROUPS = "access_groups"
ANY = "*"
_UNNAMED = "model"
# The public name of a model of a team, whose other name is made by the proxy.
_PUBLIC_NAME = "team_public_model_name"
# Early versions had these beside the name of a model.
_BESIDE_NAME = ("rpm", "tpm", "max_parallel_requests", "timeout", "stream_timeout", "max_retries", "num_retries")
# SHA-256 in hexadecimal digits.
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ENDPOINTS = ("api_base", "base_url")


@dataclass(frozen=True, slots=True)
class Model:
    """A model of a proxy. `identity` is what makes it itself: public name, model there, and endpoint.

    `group_names` has the name of each group whose id here had to be made from it.
    """

    identity: tuple[str, ...]
    given_id: str | None
    value: dict[str, Any]
    notes: tuple[str, ...] = ()
    kept_out: tuple[str, ...] = ()
    group_names: tuple[tuple[str, str], ...] = ()

    def numbered_id(self, number: int) -> str:
        """Return the id of the model with this number among those that have the same identity."""
        return derived_id(self.identity[0], json.dumps([*self.identity, number]), otherwise=_UNNAMED)

    @property
    def former_id(self) -> str | None:
        """The form of the ids that an earlier version made from the whole entry, as a regular expression."""
        return None if self.given_id is not None else f"{re.escape(slug(self.identity[0], _UNNAMED))}-[0-9a-f]{{12}}"


def shown_id(entry: dict[str, Any]) -> Any:
    """Return what names an entry that is not imported: its id if it has one, else its name."""
    info = entry.get(INFO)
    given = info.get("id") if isinstance(info, dict) else None
    return given or entry.get(NAME)


def model_of(entry: dict[str, Any], raw: dict[str, Any]) -> Model | str:
    """Return the model that an entry describes, or why it is none. `raw` is the entry with its secrets."""
    odd: list[str] = []
    info = _info(entry, odd)
    if problem := _problem(entry, info):
        return problem
    params = entry[PARAMS]
    given = None if _made_by_the_proxy(info) else info.get("id")
    groups = _group_ids(info, odd)
    beside = {name: entry[name] for name in _BESIDE_NAME if name in entry}
    unknown = [name for name in entry if name not in (NAME, PARAMS, INFO, *beside)]
    public = info.get(_PUBLIC_NAME)
    value = {
        "base_model_id": params["model"],
        "name": public if isinstance(public, str) and public else entry[NAME],
        "params": {**beside, **{name: held for name, held in params.items() if name != "model"}},
        "meta": _meta(info),
        "access_grants": [
            {"principal_type": "group", "principal_id": group_id, "permission": "read"} for group_id in groups
        ],
    }
    return Model(
        (entry[NAME], params["model"], _endpoint(raw[PARAMS])),
        None if given in (None, "") else str(given),
        value,
        tuple(f"{safe_name(name)}: left out; unknown" for name in unknown),
        tuple(odd),
        tuple((group_id, name) for group_id, name in groups.items() if group_id != name),
    )


def _problem(entry: dict[str, Any], info: dict[str, Any]) -> str | None:
    """Return why an entry is no model."""
    name, params, given = entry.get(NAME), entry.get(PARAMS), info.get("id")
    if not isinstance(name, str):
        return f"{NAME}: must be text"
    if not isinstance(params, dict) or not isinstance(params.get("model"), str):
        return f"{PARAMS}: must be a mapping with a model"
    if ANY in name or ANY in params["model"]:
        return "is a route to any number of models, not one model"
    if isinstance(given, bool) or not isinstance(given, str | int | None):
        return f"{INFO}.id: must be text"
    problems = {NAME: text_problem(name), f"{INFO}.id": text_problem(str(given))}
    return next((f"{where}: {problem}" for where, problem in problems.items() if problem), None)


def _made_by_the_proxy(info: dict[str, Any]) -> bool:
    """Return whether the id is one that a proxy makes from all settings of an entry, and anew after each edit.

    Only its answers have such ids: `db_model` is false there for entries of its configuration.
    """
    given = info.get("id")
    return info.get("db_model") is False and isinstance(given, str) and _DIGEST.fullmatch(given) is not None


def _meta(info: dict[str, Any]) -> dict[str, Any]:
    return meta_of({name: typed_value(name, held) for name, held in info.items() if name not in ("id", ACCESS_GROUPS)})


def _info(entry: dict[str, Any], odd: list[str]) -> dict[str, Any]:
    """Return the info of an entry, without parts that can't be kept, which are added to `odd`."""
    info = entry.get(INFO)
    if info is None:
        return {}
    if not isinstance(info, dict):
        odd.append(f"{INFO}: must be a mapping")
        return {}
    try:
        tidy_meta(info)
    except ValueError as error:
        odd.append(f"{INFO}.tags: {error}")
        return {name: value for name, value in info.items() if name != "tags"}
    return info


def _group_ids(info: dict[str, Any], odd: list[str]) -> dict[str, str]:
    """Return the groups of an entry by id, with the name of each; a name that is no id gets one that no other has."""
    return {principal_id_of(name): name for name in _listed_groups(info, odd)}


def _listed_groups(info: dict[str, Any], odd: list[str]) -> Iterator[str]:
    groups = info.get(ACCESS_GROUPS)
    if groups is None:
        return
    where = f"{INFO}.{ACCESS_GROUPS}"
    if not isinstance(groups, list):
        odd.append(f"{where}: must be a list of text, so nobody gets access")
        return
    for number, name in enumerate(groups):
        if not isinstance(name, str) or not name.strip():
            odd.append(f"{where}.{number}: must be text, so nobody gets access")
        elif name.strip() == ANY:
            odd.append(f"{where}.{number}: {ANY} names no group, so nobody gets access")
        else:
            yield name.strip()


def _endpoint(params: dict[str, Any]) -> str:
    """Return the endpoint of an entry without the parts that may be a secret, which may change."""
    given = next((params[name] for name in _ENDPOINTS if params.get(name)), "")
    text = given if isinstance(given, str) else ""
    try:
        parts = urlsplit(text)
        host = f"{parts.scheme}://{parts.hostname}:{parts.port}" if parts.hostname else ""
    except ValueError:
        return ""
    path = parts.path.rstrip("/") if host else text
    return host + ("" if looks_secret(path) else path)
