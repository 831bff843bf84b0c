"""The only package that talks to the driver: connect, deadlines, and one helper for each kind of call."""

from service.database.administration import Administration
from service.database.changes import Changes, Event
from service.database.connection import BULK_TIMEOUT_FACTOR
from service.database.deadline import Deadline, current_deadline, within_deadline
from service.database.listeners import CommandWatch, DatabaseWatch, listeners
from service.database.reads import Pipeline
from service.database.writes import Write, Writes, delete_one, insert_one, stored, update_one

__all__ = [
    "BULK_TIMEOUT_FACTOR",
    "CommandWatch",
    "Database",
    "DatabaseWatch",
    "Deadline",
    "Event",
    "Pipeline",
    "Write",
    "current_deadline",
    "delete_one",
    "insert_one",
    "listeners",
    "stored",
    "update_one",
    "within_deadline",
]


class Database(Writes, Changes, Administration):
    """One connection pool and one database on it.

    Every call is bounded by `timeout` seconds, counted from the call: waiting for a thread, for a
    connection, for the server and on the server alike.
    """
