"""How the service counts lists of a directory, with the plans of the server."""

from pathlib import Path
from typing import Any

from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.auth.authentication import Authenticator
from service.listing.counting import Counts, counts
from service.listing.params import ListParams
from service.listing.pipeline import Resolved
from service.listing.search_statistics import SAMPLE_PIPELINE, SearchStatistics
from service.listing.terms import search_terms
from tests.support.directory import Directory, grant, model

Raw = SyncDatabase[dict[str, Any]]
PUBLIC = [grant("user:*")]


async def fill_counted(directory: Directory, tmp_path: Path) -> None:
    """Fill a directory with 300 models, of which Ann can read 270, and an admin, `root`."""
    await directory.group("g")
    await directory.user("ann", name="Ann Kowalska", groups=["g"])
    await directory.user("root", role=Role.ADMIN)
    models = [
        model(
            f"m{at:03}",
            "ann" if at % 2 else "other",
            name=f"Helper {at}",
            created_at=1_700_000_000 + at,
            is_active=bool(at % 3),
            meta={"tags": ["Engineering" if at % 4 else "ann kowalska", *(["Even"] if at % 2 == 0 else [])]},
            access_grants=[grant("group:g"), *PUBLIC] if at % 5 else [],
        )
        for at in range(300)
    ]
    await directory.load({"models": models}, tmp_path)


async def count_pipelines(
    directory: Directory, raw: Raw, user: str, records: int | None = None, **values: Any
) -> list[Any]:
    """Return the pipelines by which the service counts a list, if there are about so many `records`."""
    return list((await counts_of(directory, raw, user, records, **values)).pipelines)


async def counts_of(directory: Directory, raw: Raw, user: str, records: int | None = None, **values: Any) -> Counts:
    """Return how the service counts a list, if there are about so many `records`."""
    caller = await Authenticator(directory.database).resolve(f"Bearer {await directory.key(user)}")
    params = ListParams.model_validate(values)
    terms = search_terms(params.query, literal=False) if params.query else []
    statistics = SearchStatistics.of(list(raw.models.aggregate(SAMPLE_PIPELINE)), records)
    return counts(params, caller, Resolved(terms, statistics.narrowing(*terms), (), statistics))


def explained_count(
    raw: Raw, pipeline: list[dict[str, Any]], hint: str | None = None
) -> tuple[int, dict[str, Any], str]:
    """Return the total that a pipeline yields, the execution statistics of its first part, and the plan of that."""
    command = {"aggregate": "models", "pipeline": pipeline, "cursor": {}, **({"hint": hint} if hint else {})}
    # The bounds of a plan are times that Python does not know.
    any_time: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
    explained = raw.command("explain", command, verbosity="executionStats", codec_options=any_time)
    cursor = explained["stages"][0]["$cursor"] if "stages" in explained else explained
    found = list(raw.models.aggregate(pipeline))
    return found[0]["total"] if found else 0, cursor["executionStats"], str(cursor["queryPlanner"]["winningPlan"])
