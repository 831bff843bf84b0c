"""A plain driver that writes past the validators, as one can who restores a backup or weakens them for a while."""

from functools import partialmethod
from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

Document = dict[str, Any]


class _Collection(Collection[Document]):
    """A collection every write to which goes past its validator."""

    insert_one = partialmethod(Collection.insert_one, bypass_document_validation=True)
    insert_many = partialmethod(Collection.insert_many, bypass_document_validation=True)
    update_one = partialmethod(Collection.update_one, bypass_document_validation=True)
    update_many = partialmethod(Collection.update_many, bypass_document_validation=True)


class PastValidation(Database[Document]):
    """A database every write to which goes past its validators."""

    def __init__(self, client: MongoClient[Document], name: str) -> None:
        super().__init__(client, name)

    def __getitem__(self, name: str) -> Collection[Document]:
        return _Collection(self, name)
