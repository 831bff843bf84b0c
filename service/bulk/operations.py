"""A bulk change of the models that a request selects by ids or by a filter, with a result for each model."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import Any

from documents.revision import ChangeKind
from service.auth import access_rule
from service.auth.authentication import Caller, RightsCheck
from service.bulk.schemas import BulkAccessChange, BulkStateChange, ModelSelection
from service.database.client import Database
from service.database.errors import DatabaseError
from service.database.exact_bson import Record
from service.errors import RIGHTS_CHANGED, RightsChangedError, UnauthorizedError
from service.listing.pipeline import list_match
from service.listing.resolving import Resolve
from service.models.bulk_change import BulkChange, RecordResult, RecordStatus, change_matching, change_models
from service.models.grant_revocation import revoke_absent_grants
from service.models.grants import GrantChanges, build_grants, replace_grants
from service.models.principals import require_principals
from service.models.record import Content

DATABASE_FAILED = "The database did not answer in time; send the request again."


async def change_states(
    database: Database, resolve: Resolve, caller: Caller, body: BulkStateChange, check: RightsCheck
) -> dict[str, Any]:
    """Make the selected models active or inactive, if the caller may write them; return the results for the API.

    The change ends before the next batch when `check` raises.
    """
    content = {"is_active": body.is_active}
    bulk = BulkChange(ChangeKind.TOGGLE, caller.user_id, access_rule.writable(caller), lambda _: content, check)
    return await _change_selected(database, resolve, caller, body, replace(bulk, dry_run=body.dry_run))


async def change_grants(
    database: Database, resolve: Resolve, caller: Caller, body: BulkAccessChange, check: RightsCheck
) -> dict[str, Any]:
    """Change the grants of the selected models that the caller may manage; return the results for the API.

    Raises InvalidInputError for a new grant to a principal that does not exist. The change ends before the next batch
    when `check` raises.
    """
    added = [grant.model_dump() for grant in body.replace or body.add or ()]
    await require_principals(database, added, ("body", "add" if body.replace is None else "replace"))
    bulk = BulkChange(ChangeKind.ACCESS, caller.user_id, access_rule.manageable(caller), _new_grants(body), check)
    results = await _change_selected(database, resolve, caller, body, replace(bulk, dry_run=body.dry_run))
    if not body.dry_run:
        await revoke_absent_grants(database, added)
    return results


def _new_grants(body: BulkAccessChange) -> Callable[[Record], Content]:
    if body.replace is not None:
        wanted = body.replace
        return lambda record: {"access_grants": replace_grants(build_grants(record["_id"], wanted), record)}
    changes = GrantChanges([removal.model_dump() for removal in body.remove or ()], body.add or ())
    return lambda record: {"access_grants": changes.apply(record)}


async def _change_selected(
    database: Database, resolve: Resolve, caller: Caller, selection: ModelSelection, bulk: BulkChange
) -> dict[str, Any]:
    if selection.ids is not None:
        unique = list(dict.fromkeys(selection.ids))
        return _rendered(await change_models(database, unique, bulk))
    assert selection.filter is not None  # noqa: S101  # the model requires one of the two
    match = list_match(selection.filter, caller, await resolve(selection.filter))
    # The filter is checked again when a record is written, since the record may have changed since it was selected.
    bulk = replace(bulk, condition={"$and": [match, bulk.condition]})
    results: list[RecordResult] = []
    reason = None
    try:
        async for batch in change_matching(database, bulk.condition, bulk):
            results += [result for result in batch if result.status is not RecordStatus.NOT_FOUND]
    except (DatabaseError, UnauthorizedError, RightsChangedError) as error:
        if not results:
            raise
        # The caller must learn what was changed before the failure; the other models were not reached.
        reason = DATABASE_FAILED if isinstance(error, DatabaseError) else f"{RIGHTS_CHANGED}."
    return _rendered(results, reason)


def _rendered(results: Iterable[RecordResult], reason: str | None = None) -> dict[str, Any]:
    counts = dict.fromkeys(map(str, RecordStatus), 0)
    rendered = []
    for result in results:
        counts[result.status] += 1
        fields = asdict(result)
        rendered.append({"id": fields.pop("model_id"), **fields})
    return {"results": rendered, "counts": counts, "complete": reason is None, "reason": reason}
