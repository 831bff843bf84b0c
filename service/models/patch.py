"""`PATCH /models/model`: what a merge patch makes of a model, and what it can't change."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from pydantic import ValidationError

from service.database.exact_bson import Record
from service.errors import InvalidInputError, invalid_input
from service.http.dependencies import WriterDependency
from service.http.merge_patch import MergePatchBody, merged
from service.models.item import without_new_defaults
from service.models.record import Content
from service.models.schemas import PatchModel, UpdateModel

# Fields of a model that change in another way.
_ELSEWHERE: Mapping[str, str] = {
    "id": "is in the query string, and never changes",
    "access_grants": "is no part of a patch: POST /models/model/access/update replaces the grants",
    "user_id": "is no part of a patch: the owner changes only by a transfer or an import, for admins",
}


class PatchBody(MergePatchBody[PatchModel]):
    """Reads a patch of a model, and says of a field that has a route of its own which one that is."""

    def __init__(self) -> None:
        super().__init__(PatchModel)

    async def __call__(self, request: Request, caller: WriterDependency) -> PatchModel:
        """Return the patch; raises as `MergePatchBody` does."""
        try:
            return await super().__call__(request, caller)
        except InvalidInputError as error:
            raise InvalidInputError([_explained(fault) for fault in error.errors], error.total) from None


def _explained(fault: Mapping[str, Any]) -> Mapping[str, Any]:
    _, *path = fault["loc"]
    return {**fault, "msg": _ELSEWHERE[path[0]]} if len(path) == 1 and path[0] in _ELSEWHERE else fault


def patched_content(patch: PatchModel, record: Record) -> Content:
    """Return the new values of the fields that the patch names, merged into those of the record.

    Raises InvalidInputError for a result that an update would refuse.
    """
    changed = {name: merged(record[name], value) for name, value in patch.content.items()}
    try:
        content = UpdateModel.model_validate({"id": record["_id"], **changed}).content
    except ValidationError as error:
        raise invalid_input(error, "body") from None
    if "meta" in content:
        content["meta"] = without_new_defaults(content["meta"], record)
    return content
