"""The database through PyMongo alone: without the validators of the collections, and without what the service adds."""

from functools import partialmethod
from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

Document = dict[str, Any]
Raw = Database[Document]


class _UnvalidatedCollection(Collection[Document]):
    """A collection whose validator is bypassed by every write."""

    insert_one = partialmethod(Collection.insert_one, bypass_document_validation=True)
    insert_many = partialmethod(Collection.insert_many, bypass_document_validation=True)
    update_one = partialmethod(Collection.update_one, bypass_document_validation=True)
    update_many = partialmethod(Collection.update_many, bypass_document_validation=True)


class UnvalidatedDatabase(Raw):
    """A database whose validators are bypassed by every write, as after a restored backup or a disabled validator."""

    def __init__(self, client: MongoClient[Document], name: str) -> None:
        super().__init__(client, name)

    def __getitem__(self, name: str) -> Collection[Document]:
        return _UnvalidatedCollection(self, name)


def collection_names(database: Raw) -> list[str]:
    """Return the names of the collections, without views and system collections."""
    names = database.list_collection_names(filter={"type": "collection"})
    return sorted(name for name in names if not name.startswith("system."))
