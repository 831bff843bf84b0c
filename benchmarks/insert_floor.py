"""The floor of an import: inserting finished records into a collection with the same indexes."""

import time
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel
from pymongo.database import Database

from benchmarks.commands import mongod_cpu_seconds

RECORDS, BATCH, ROUNDS = 2000, 500, 3
_COLLECTION = "insert_floor"


def insert_cpu_ms(database: Database[dict[str, Any]], uri: str) -> float:
    """Return the processor time of inserting one record, here and in the mongod at `uri`, in ms: the best round."""
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
        before = time.process_time() + mongod_cpu_seconds(uri)
        for at in range(0, len(records), BATCH):
            collection.insert_many(records[at : at + BATCH])
        taken.append((time.process_time() + mongod_cpu_seconds(uri) - before) * 1000 / len(records))
    database.drop_collection(_COLLECTION)
    return min(taken)
