"""Changing the text of a model in a form. Who is slower sees the other's change, and keeps what they have typed."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from pydantic import ValidationError

from documents.revision import ChangeKind
from documents.text import Identifier
from service.auth.authentication import Caller
from service.database.exact_bson import Record
from service.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    StaleVersionError,
    TooLargeError,
    invalid_input,
)
from service.http.dependencies import Context, ContextDependency
from service.models.history import revisions
from service.models.operations import ChangeRequest, change, require_changeable
from service.models.schemas import UpdateModel
from service.web.dependencies import FormDependency, PageWriterDependency, SignedInDependency
from service.web.edited_fields import FIELDS, Values, changed_content, labelled_problems, shown_values, typed_values
from service.web.history_page import who_changed
from service.web.model_page import read_item
from service.web.redirects import to_model
from service.web.rendering import html
from service.web.sessions import SignedIn

router = APIRouter(include_in_schema=False)


@router.get("/model/edit")
async def show_form(signed_in: SignedInDependency, context: ContextDependency, id: Identifier) -> Response:  # noqa: A002
    """Return the form to change a model; raises as a change does."""
    await require_changeable(context.database, ChangeRequest(signed_in.caller, id, ChangeKind.UPDATE), emptied=True)
    item = await read_item(context, signed_in.caller, id)
    return _form(signed_in, item, shown_values(item))


def _form(
    signed_in: SignedIn,
    item: Mapping[str, Any],
    values: Values,
    *,
    status: int = HTTPStatus.OK,
    problems: Mapping[str, str] | None = None,
    conflict: Mapping[str, Any] | None = None,
) -> Response:
    return html(
        "edit.html",
        status=status,
        signed_in=signed_in,
        active="models",
        item=item,
        fields=FIELDS,
        values=values,
        problems=problems or {},
        conflict=conflict,
    )


@router.post("/model/edit/save")
async def save(
    signed_in: SignedInDependency, form: FormDependency, _: PageWriterDependency, context: ContextDependency
) -> Response:
    """Store what was typed, if the model is still as it was when the form was opened."""
    caller, model_id, version = signed_in.caller, form.line("id"), form.version()
    typed = typed_values(form)
    request = ChangeRequest(caller, model_id, ChangeKind.UPDATE, [version])
    same = True

    def new_content(record: Record) -> Mapping[str, Any]:
        nonlocal same
        content = changed_content(record, typed)
        same = not content
        return _checked(model_id, content, record)

    try:
        await change(context.database, request, new_content)
    except StaleVersionError:
        return await _conflict(context, signed_in, model_id, version, typed)
    except (InvalidInputError, TooLargeError, ConflictError) as error:
        item = {**await read_item(context, caller, model_id), "version": version}
        return _form(signed_in, item, typed, status=error.status, problems=labelled_problems(error))
    return to_model(model_id, "same" if same else "saved")


def _checked(model_id: str, content: Mapping[str, Any], record: Record) -> Mapping[str, Any]:
    """Return new content; raise InvalidInputError unless the API would take what is new in it."""
    new = {
        name: {part: one for part, one in value.items() if part not in record[name] or record[name][part] != one}
        if isinstance(value, dict)
        else value
        for name, value in content.items()
    }
    try:
        UpdateModel.model_validate({"id": model_id, **new})
    except ValidationError as error:
        raise invalid_input(error) from None
    return content


async def _conflict(context: Context, signed_in: SignedIn, model_id: str, version: int, typed: Values) -> Response:
    """Return the form again, based on the current version: with what was typed, and beside it what somebody else wrote.

    What only the other one has changed is taken over.
    """
    caller = signed_in.caller
    item = await read_item(context, caller, model_id)
    theirs = shown_values(item)
    before = await _values_at(context, caller, item, version)
    changed = {name for name in theirs if before is None or theirs[name] != before[name]}
    mine = {name for name in typed if before is None or typed[name] != before[name]}
    values = {name: theirs[name] if name in changed - mine else typed[name] for name in typed}
    conflict = {
        "who": await who_changed(context, caller, model_id),
        "theirs": {name: theirs[name] for name in changed & mine if theirs[name] != typed[name]},
        "taken": changed - mine,
    }
    return _form(signed_in, item, values, status=HTTPStatus.PRECONDITION_FAILED, conflict=conflict)


async def _values_at(context: Context, caller: Caller, item: Mapping[str, Any], version: int) -> Values | None:
    """Return what the form held at an earlier version; None if that is not recorded."""
    try:
        differences = await revisions.compare(context.database, caller, item["id"], version, item["version"])
    except NotFoundError:
        return None
    earlier: dict[str, Any] = {"meta": dict(item["meta"]), "params": dict(item["params"])}
    earlier |= {name: item[name] for name in ("name", "base_model_id")}
    for difference in differences:
        outer, _, inner = difference["path"][1:].partition("/")
        if outer not in earlier:
            continue
        place, name = (earlier[outer], inner) if inner else (earlier, outer)
        if "before" in difference:
            place[name] = difference["before"]
        else:
            place.pop(name, None)
    return shown_values(earlier)


@router.post("/model/state")
async def set_state(
    signed_in: SignedInDependency, form: FormDependency, _: PageWriterDependency, context: ContextDependency
) -> Response:
    """Make a model active or inactive. It says which, so that the same twice does no harm, and needs no version."""
    active = form.line("active") == "yes"
    request = ChangeRequest(signed_in.caller, form.line("id"), ChangeKind.TOGGLE)
    await change(context.database, request, lambda _: {"is_active": active})
    return to_model(request.model_id, "active" if active else "inactive")
