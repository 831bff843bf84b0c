"""The floor of an import: inserting records that are finished already into a collection with the same indexes."""

import time
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel
from pymongo.database import Database

RECORDS, BATCH, ROUNDS = 2000, 500, 3
_COLLECTION = "insert_floor"


def insert_ms(database: Database[dict[str, Any]]) -> float:
    """Return how long inserting one record takes, in ms: the best of several rounds."""
    raw = database.models.with_options(database.codec_options.with_options(document_class=RawBSONDocument))
    records = list(raw.find(limit=RECORDS))
    indexes = [
        IndexModel(list(index["key"].items()), name=index["name"])
        for index in database.models.list_indexes()
        if index["name"] != "_id_"
    ]
    taken = []
    for _ in range(ROUNDS):
        collection = database[_COLLECTION]
        collection.drop()
        collection.create_indexes(indexes)
        started = time.perf_counter()
        for at in range(0, len(records), BATCH):
            collection.insert_many(records[at : at + BATCH])
        taken.append((time.perf_counter() - started) * 1000 / len(records))
    database.drop_collection(_COLLECTION)
    return min(taken)
