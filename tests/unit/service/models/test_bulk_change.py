"""A change of many models that is interrupted between two parts of one batch."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from documents.revision import ChangeKind
from service.auth.authentication import Caller, without_check
from service.bulk import operations
from service.bulk.schemas import BulkStateChange
from service.database.client import Database
from service.database.errors import DatabaseError
from service.errors import RIGHTS_CHANGED, RightsChangedError
from service.listing.params import ListFilter
from service.listing.pipeline import Resolved
from service.models import bulk_change
from service.models.bulk_change import (
    RESULT_UNKNOWN,
    RIGHTS_LOST,
    BulkChange,
    RecordResult,
    RecordStatus,
    change_models,
)

IDS = ["m0", "m1", "m2", "m3"]
ANN = Caller(user_id="ann", is_admin=False, principals=frozenset({"user:ann"}))


class OneBatch:
    """A database whose models are read as one batch."""

    async def batches(self, *_: Any, **__: Any) -> AsyncIterator[list[dict[str, Any]]]:
        yield [{"_id": model_id} for model_id in IDS]


DATABASE = cast(Database, OneBatch())


@pytest.fixture(params=[DatabaseError(), RightsChangedError()], ids=["database", "rights"])
def error(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Exception:
    """The error that ends the change after the first of two parts."""
    raised: Exception = request.param

    async def in_pairs(_: Database, ids: Sequence[str], __: object) -> list[list[str]]:
        return [list(ids[:2]), list(ids[2:])]

    async def changed(_: Database, ids: Sequence[str], __: BulkChange) -> list[RecordResult]:
        if "m0" not in ids:
            raise raised
        return [RecordResult(model_id, RecordStatus.CHANGED) for model_id in ids]

    monkeypatch.setattr(bulk_change, "split_by_size", in_pairs)
    monkeypatch.setattr(bulk_change, "_change_batch", changed)
    return raised


async def test_those_that_were_found_by_a_filter_are_not_all_reached(error: Exception) -> None:
    async def resolve(_: ListFilter) -> Resolved:
        return Resolved()

    body = BulkStateChange.model_validate({"filter": {}, "is_active": False})
    answer = await operations.change_states(DATABASE, resolve, ANN, body, without_check)
    assert [result["id"] for result in answer["results"]] == IDS[:2]
    database_failed = isinstance(error, DatabaseError)
    reason = operations.DATABASE_FAILED if database_failed else f"{RIGHTS_CHANGED}."
    assert (answer["complete"], answer["reason"]) == (False, reason)


async def test_each_that_was_named_has_a_result(error: Exception) -> None:
    bulk = BulkChange(ChangeKind.TOGGLE, "ann", {}, lambda _: {"is_active": False})
    results = await change_models(DATABASE, IDS, bulk)
    assert [result.model_id for result in results] == IDS
    detail = RESULT_UNKNOWN if isinstance(error, DatabaseError) else RIGHTS_LOST
    assert [result.detail for result in results] == [None, None, detail, detail]
