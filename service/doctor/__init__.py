"""Finds what was written past the service, cut off or lost, and mends what can be mended safely when asked to."""

from collections.abc import Callable

from documents import DOCUMENTS, ModelRecord
from service.database.client import Database
from service.doctor.diagnosis import Diagnosis, Kind
from service.doctor.histories import examine_histories
from service.doctor.models import examine_models
from service.doctor.people import examine_departures, examine_emails, examine_users
from service.doctor.shapes import examine_shapes

__all__ = ["Diagnosis", "Kind", "examine"]


async def examine(database: Database, *, repair: bool, progress: Callable[[int], None] = lambda _: None) -> Diagnosis:
    """Look at every document; with `repair`, mend what can be mended.

    `progress` is told, now and then, how many have been looked at. What is found last sees what was mended before.
    """
    diagnosis = Diagnosis(repair=repair, progress=progress)
    await examine_departures(database, diagnosis)
    await examine_users(database, diagnosis)
    await examine_emails(database, diagnosis)
    for kind in DOCUMENTS:
        if kind is not ModelRecord:
            await examine_shapes(database, diagnosis, kind)
    await examine_models(database, diagnosis)
    await examine_histories(database, diagnosis)
    return diagnosis
