"""`GET /models/model/access`: who may read and write a model, and why."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from documents.grant import Permission
from documents.text import Identifier
from service.http.dependencies import CallerDependency, ContextDependency
from service.http.pagination import PageParams
from service.http.problems import COMMON_FAILURES, documented_problems
from service.http.responses import json_response
from service.models.access.explanation import PathKind, explain_all, explain_one


class AccessParams(PageParams):
    """The parameters of a question about access."""

    id: Identifier = Field(description="The model's id.", examples=["sql-tuning"])
    user_id: Identifier | None = Field(
        None,
        description="Whom to ask about; `page` and `page_size` then have no effect. Absent: everyone who may read it.",
        examples=["u-ben"],
    )


class PersonShape(BaseModel):
    """A user, as they are now."""

    id: str = Field(examples=["u-ben"])
    name: str = Field(examples=["Ben Okafor"])
    email: str | None = Field(description="For admins, and of oneself.", examples=["ben.okafor@example.com"])


class PathShape(BaseModel):
    """One way in which a user comes to a model."""

    kind: PathKind = Field(
        description="`owner` and `admin` need no grant. `user`: granted to them; `group`: to a group that they belong "
        "to; `ancestor_group`: to a group above one of those; `public`: to everyone.",
        examples=["ancestor_group"],
    )
    permission: Permission = Field(description="`write` includes `read`.")
    grant_id: str | None = Field(examples=["43114972-2dab-58d0-a43a-27ef223e89a6"])
    group_id: str | None = Field(description="The group that has the grant.", examples=["g-engineering"])
    via: list[str] = Field(
        description="From a group that the user belongs to up to `group_id`, by the shortest way; empty without one.",
        examples=[["g-platform", "g-engineering"]],
    )


class ReaderShape(BaseModel):
    """One user who may read the model."""

    user: PersonShape
    permission: Permission = Field(description="The most that any of the paths gives.")
    paths: list[PathShape]


class ReadersShape(BaseModel):
    """A page of those who may read the model, ordered by id; inactive users may not, so they are not counted."""

    items: list[ReaderShape]
    total: int = Field(description="How many there are on all pages together.", examples=[1])


class VerdictShape(BaseModel):
    """What one user may do."""

    user: PersonShape
    can_read: bool
    can_write: bool
    paths: list[PathShape] = Field(description="Empty for an inactive user, who may do nothing.")
    reason: str = Field(
        description="A sentence for whoever reads it.",
        examples=["This user may write the model, since it is shared with their group g-platform."],
    )


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ReadersShape | VerdictShape,
        "description": "A page of users; with `user_id`, what that user may do.",
    },
    **documented_problems(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, *COMMON_FAILURES),
}


router = APIRouter(prefix="/models", tags=["access"])


@router.get("/model/access", responses=_RESPONSES)
async def explain_access(
    caller: CallerDependency, params: Annotated[AccessParams, Query()], context: ContextDependency
) -> Response:
    """Return who may read and write a model and by which paths, or whether and why one user may.

    For the owner and admins; about themselves, all who may read the model can ask. So an owner learns the ids and
    names of those whom they share a model with, by a group or with everyone too. A key that is for
    reading only can take away from what its user may do, which is not looked at here.
    """
    if params.user_id is not None:
        return json_response(await explain_one(context.database, caller, params.id, params.user_id))
    items, total = await explain_all(context.database, caller, params.id, skip=params.skip, limit=params.page_size)
    return json_response({"items": items, "total": total})
