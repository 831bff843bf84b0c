"""Finds records that were written past the service, left by interrupted work or malformed, and can repair some."""

from collections.abc import Callable

from documents import DOCUMENTS, ModelRecord
from service.database.client import Database
from service.doctor.diagnosis import Diagnosis, Kind
from service.doctor.histories import examine_histories
from service.doctor.models import examine_models
from service.doctor.origins import examine_origins
from service.doctor.people import examine_deletions, examine_emails, examine_users
from service.doctor.shapes import examine_shapes

__all__ = ["Diagnosis", "Kind", "examine"]


async def examine(database: Database, *, repair: bool, progress: Callable[[int], None] = lambda _: None) -> Diagnosis:
    """Examine every document; with `repair`, repair what can be repaired safely.

    `progress` is called now and then with the number of documents examined. The order matters: later examinations
    see what earlier ones repaired.
    """
    diagnosis = Diagnosis(repair=repair, progress=progress)
    await examine_deletions(database, diagnosis)
    await examine_users(database, diagnosis)
    await examine_emails(database, diagnosis)
    for kind in DOCUMENTS:
        if kind is not ModelRecord:
            await examine_shapes(database, diagnosis, kind)
    await examine_origins(database, diagnosis)
    await examine_models(database, diagnosis)
    await examine_histories(database, diagnosis)
    return diagnosis
