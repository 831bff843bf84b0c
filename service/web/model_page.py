"""The page of one model: what it is, who may see it and why, and what has changed."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from documents import Group, User
from documents.text import Identifier
from service.auth import access_rule
from service.auth.authentication import Caller
from service.errors import NotFoundError
from service.http.dependencies import Context, ContextDependency
from service.http.pagination import PageParams
from service.models import operations
from service.models.access.explanation import explain_all, explain_one
from service.models.access.sharing import Path
from service.models.history import revisions
from service.models.history.schemas import HistoryParams
from service.models.principals import names_of
from service.web.access_words import about_prompt, best_first, tell
from service.web.cards import capabilities, hue, initial, tag_names
from service.web.dependencies import SignedInDependency
from service.web.history_words import as_text, what
from service.web.picture import picture
from service.web.rendering import html
from service.web.sharing_words import Names, grants_of, shared_with, sharing_icon
from service.web.words import isolated

router = APIRouter(include_in_schema=False)

READERS, CHANGES = 12, 5
_KNOWN_META = {"description", "tags", "capabilities", "profile_image_url"}

PersonParam = Annotated[str | None, Query(max_length=320)]


@router.get("/model")
async def show_model(
    signed_in: SignedInDependency,
    *,
    context: ContextDependency,
    id: Identifier,  # noqa: A002
    person: PersonParam = None,
    readers: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    done: Annotated[str | None, Query(max_length=20)] = None,
) -> Response:
    """Return the page of a model; 404 as the API has it. With `person`, why they may see it."""
    caller = signed_in.caller
    item = await read_item(context, caller, id)
    manages = access_rule.can_manage(caller, item)
    names = await Names.in_grants(context.database, caller, [item])
    return html(
        "model.html",
        signed_in=signed_in,
        active="models",
        item=shown_model(item, names),
        manages=manages,
        done=done,
        mine=await why(context, caller, id, caller.user_id),
        asked=await _asked(context, caller, id, person) if person and manages else None,
        person=person or "",
        readers=await _readers(context, caller, id, readers) if manages else None,
        changes=await recent_changes(context, caller, id) if item["write_access"] else None,
    )


async def read_item(context: Context, caller: Caller, model_id: str) -> dict[str, Any]:
    """Return one model as the API shows it; raise NotFoundError when it is absent or hidden."""
    readers_see_params = context.settings.readers_see_params
    return await operations.read(context.database, caller, model_id, readers_see_params=readers_see_params)


def shown_model(item: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return a model as its page shows it."""
    meta: Mapping[str, Any] = item["meta"]
    params = item["params"] if isinstance(item["params"], Mapping) else {}
    image = meta.get("profile_image_url")
    description, system = meta.get("description"), params.get("system")
    return {
        **{name: item[name] for name in ("id", "is_active", "write_access", "created_at", "updated_at", "version")},
        "name": str(item["name"]),
        "base": item["base_model_id"],
        "owner": item["user"],
        "owner_id": item["user_id"],
        "description": description if isinstance(description, str) else "",
        "tags": tag_names(meta),
        "capabilities": capabilities(meta),
        "has_image": isinstance(image, str) and image.startswith("data:image/"),
        "hue": hue(item["id"]),
        "initial": initial(str(item["name"])),
        "system": system if isinstance(system, str) else None,
        "params": _table(
            {
                name: value
                for name, value in params.items()
                if name != "system" or system != value or not isinstance(value, str)
            }
        ),
        "details": _table({name: value for name, value in meta.items() if name not in _KNOWN_META}),
        "shared": shared_with(item, names),
        "shared_icon": sharing_icon(item),
        "grants": [
            {
                "kind": "everyone" if grant["principal_id"] == "*" else grant["principal_type"],
                "name": names.of(grant),
                "permission": grant["permission"],
            }
            for grant in grants_of(item)
        ],
    }


def _table(values: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"name": name, "value": as_text(value)} for name, value in values.items()]


async def why(context: Context, caller: Caller, model_id: str, user_id: str) -> dict[str, Any]:
    """Return why a user may see a model or not, in words and as a picture; raises as `explain_one` does."""
    explained = await explain_one(context.database, caller, model_id, user_id)
    paths: Sequence[Path] = best_first(explained["paths"])
    you = user_id == caller.user_id
    person = "You" if you else explained["user"]["name"] or user_id
    groups = await names_of(context.database, Group, {group for path in paths for group in path.via})
    told = [tell(path, person, groups, you=you) for path in paths]
    shown = isolated(person)
    refusal = f"{shown} may not see it: it is shared neither with {'you' if you else 'them'}, nor with their groups."
    if not explained["can_read"] and "inactive" in explained["reason"]:
        refusal = f"{shown} is inactive and may do nothing."
    return {
        "person": person,
        "can_read": explained["can_read"],
        "sentence": told[0].sentence if told else refusal,
        "others": [one.sentence for one in told[1:]],
        "picture": picture(told[0].steps) if told else None,
        "prompt": about_prompt(
            can_read=explained["can_read"],
            can_write=explained["can_write"],
            readers_see_params=context.settings.readers_see_params,
            person=person,
        ),
    }


async def _asked(context: Context, caller: Caller, model_id: str, person: str) -> dict[str, Any]:
    """Return the answer for somebody who is named by id or by a part of their name; or who may be meant."""
    try:
        return {"why": await why(context, caller, model_id, person.strip()), "choices": []}
    except NotFoundError:
        found = await explain_all(
            context.database, caller, model_id, PageParams(page_size=READERS), named=person.strip()
        )
    people = [one["user"] for one in found["items"]]
    if len(people) == 1:
        return {"why": await why(context, caller, model_id, people[0]["id"]), "choices": []}
    return {"why": None, "choices": people}


async def _readers(context: Context, caller: Caller, model_id: str, page: int) -> dict[str, Any]:
    """Return a page of those who may read a model."""
    found = await explain_all(context.database, caller, model_id, PageParams(page=page, page_size=READERS))
    return {
        "total": found["total"],
        "page": page,
        "more": page * READERS < found["total"],
        "people": [
            {**one["user"], "permission": one["permission"], "kind": best_first(one["paths"])[0].kind}
            for one in found["items"]
            if one["paths"]
        ],
    }


async def recent_changes(
    context: Context, caller: Caller, model_id: str, page: int = 1, size: int = CHANGES
) -> dict[str, Any]:
    """Return a page of the history in words; raises as the history does."""
    found = await revisions.page(context.database, caller, HistoryParams(id=model_id, page=page, page_size=size))
    people = await names_of(context.database, User, {one["by"] for one in found["items"] if isinstance(one["by"], str)})
    items = [
        {**one, "who": people.get(one["by"], one["by"]), "what": what(one["change"], one["fields"])}
        for one in found["items"]
    ]
    return {"items": items, "total": found["total"], "page": page, "more": page * size < found["total"]}
