"""Calls that change one model, so that no change of others is lost and none is made twice."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from itertools import islice
from typing import Any, cast, get_args

from modeldeck_client.calls import MODEL, read_model
from modeldeck_client.errors import ModeldeckError, NotFound, VersionChanged
from modeldeck_client.requests import Call, Request, pauses
from modeldeck_client.types import GrantInput, Model, PatchModel, Permission, PrincipalType

ATTEMPTS = 10
_PAUSES = (0.02, 0.5)
_CHANGEABLE = tuple(PatchModel.__annotations__)

Edit = Callable[[Model], None]
# Makes the request that changes the model as it is now; None where there is nothing to change.
_RequestFor = Callable[[Model], Request | None]


def change_model(model_id: str, change: PatchModel | Edit, version: int | None) -> Call[Model]:
    """Change a model by a patch or a function."""
    if not callable(change):
        return (yield from _patch_model(model_id, change, version))
    if version is not None:
        raise ValueError("if_version: only a patch takes it; a function is given the model as it is")
    return (yield from _edit_model(model_id, change))


def _edit_model(model_id: str, edit: Edit) -> Call[Model]:
    """Change a model as `edit` changes the copy that it is given, and again when another change was faster.

    Raises VersionChanged when others were faster every time, and ValueError when `edit` changed what an update can't.
    """
    return (yield from _under_version(model_id, lambda model: _update(model, edit), _is_stored))


def _patch_model(model_id: str, patch: PatchModel, version: int | None) -> Call[Model]:
    """Merge a patch into a model; with a version, only into that one."""
    request = Request("PATCH", MODEL, {"id": model_id}, body=patch, headers=_if_match(version))
    # The answer to a repetition under a version would be that the version has changed.
    changed: Model = yield replace(request, repeatable=version is None)
    return changed


def delete_model(model_id: str, version: int | None) -> Call[None]:
    """Delete a model; with a version, only that one.

    It is always sent under a version: a repetition never deletes what was made again under the same id meanwhile.
    """
    given = version
    doubt: ModeldeckError | None = None
    failure: ModeldeckError | None = None
    for pause in islice(pauses(*_PAUSES), ATTEMPTS):
        after = 0.0 if failure is None else pause
        if version is None:
            version, after = (yield from read_model(model_id, after))["version"], 0.0
        try:
            yield Request("POST", f"{MODEL}/delete", body={"id": model_id}, headers=_if_match(version), after=after)
            return
        except NotFound:
            if doubt is None:
                raise
            return
        except VersionChanged as error:
            if doubt is not None:
                raise doubt from None
            if given is not None:
                raise
            failure, version = error, None
        except ModeldeckError as error:
            if not (error.in_doubt and error.passing):
                raise
            failure = doubt = error
    raise cast(ModeldeckError, failure)


def share_model(model_id: str, principal: str, permission: Permission) -> Call[Model]:
    """Add a grant to those that a model has."""
    kind, principal_id = _principal(principal)
    wanted = GrantInput(principal_type=kind, principal_id=principal_id, permission=_permission(permission))

    def request_for(model: Model) -> Request | None:
        grants = _grants(model)
        return None if wanted in grants else _new_grants(model, [*grants, wanted])

    return (yield from _under_version(model_id, request_for))


def unshare_model(model_id: str, principal: str, permission: Permission | None) -> Call[Model]:
    """Remove the grants of a principal, or the one with a permission; the others stay."""
    whose = _principal(principal)
    only = None if permission is None else _permission(permission)

    def is_kept(grant: GrantInput) -> bool:
        is_theirs = (grant["principal_type"], grant["principal_id"]) == whose
        return not is_theirs or only not in {None, grant["permission"]}

    def request_for(model: Model) -> Request | None:
        grants = _grants(model)
        kept = list(filter(is_kept, grants))
        return None if len(kept) == len(grants) else _new_grants(model, kept)

    return (yield from _under_version(model_id, request_for))


def _under_version(
    model_id: str, request_for: _RequestFor, is_done: Callable[[Model, Request], bool] | None = None
) -> Call[Model]:
    """Send a request for the model as it was read, under its version, and begin again when another was faster.

    When nobody knows whether it was carried out, the model is read again. With `is_done`, which says whether it is as a
    request was to make it, that decides; without, the request is one that asks for nothing where it was carried out.
    """
    doubt: tuple[ModeldeckError, int, Request] | None = None
    failure: ModeldeckError | None = None
    for pause in islice(pauses(*_PAUSES), ATTEMPTS):
        model = yield from read_model(model_id, after=0.0 if failure is None else pause)
        if doubt is not None and is_done is not None and model["version"] != doubt[1]:
            if is_done(model, doubt[2]):
                return model
            raise doubt[0]
        request = request_for(model)
        if request is None:
            return model
        try:
            changed: Model = yield replace(request, headers=_if_match(model["version"]))
            return changed
        except VersionChanged as error:
            failure = error
        except ModeldeckError as error:
            if not (error.in_doubt and error.passing):
                raise
            failure = error
            doubt = error, model["version"], request
    raise cast(ModeldeckError, failure)


def _update(model: Model, edit: Edit) -> Request | None:
    edited = deepcopy(model)
    if cast(Any, edit)(edited) is not None:
        raise ValueError("the function must change the model that it is given, and return nothing")
    before, after = cast(dict[str, Any], model), cast(dict[str, Any], edited)
    changed = {name: after.get(name) for name in before | after if not _are_same(after.get(name), before.get(name))}
    if fixed := changed.keys() - set(_CHANGEABLE):
        raise ValueError(f"an update can't change {', '.join(sorted(fixed))}, only {', '.join(_CHANGEABLE)}")
    return Request("POST", f"{MODEL}/update", body={"id": model["id"], **changed}) if changed else None


def _is_stored(model: Model, update: Request) -> bool:
    stored = cast(dict[str, Any], model)
    return all(_are_same(stored.get(name), value) for name, value in update.body.items())


def _are_same(one: Any, other: Any) -> bool:
    # For Python, 1, 1.0 and True are equal.
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}


def _principal(principal: str) -> tuple[PrincipalType, str]:
    kind, _, principal_id = principal.partition(":")
    if kind not in get_args(PrincipalType) or not principal_id:
        raise ValueError(f"principal: must be user:<id>, group:<id> or user:* for everyone, not {principal!r}")
    return cast(PrincipalType, kind), principal_id


def _permission(permission: Permission) -> Permission:
    # An unknown one would remove nothing, and nobody would notice.
    if permission not in get_args(Permission):
        raise ValueError(f"permission: must be {' or '.join(get_args(Permission))}, not {permission!r}")
    return permission


def _grants(model: Model) -> list[GrantInput]:
    return [
        GrantInput(principal_type=one["principal_type"], principal_id=one["principal_id"], permission=one["permission"])
        for one in model["access_grants"]
    ]


def _new_grants(model: Model, grants: list[GrantInput]) -> Request:
    return Request("POST", f"{MODEL}/access/update", body={"id": model["id"], "access_grants": grants})
