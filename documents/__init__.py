"""What is stored: one document class for each collection."""

from documents.api_key import ApiKey
from documents.group import Group
from documents.idempotent_request import IdempotentRequest
from documents.lock import Lock
from documents.model import ModelRecord
from documents.people_change import PeopleChange
from documents.revision import Revision
from documents.session import Session
from documents.user import User

__all__ = [
    "DOCUMENTS",
    "ApiKey",
    "Group",
    "IdempotentRequest",
    "Lock",
    "ModelRecord",
    "PeopleChange",
    "Revision",
    "Session",
    "User",
]

DOCUMENTS = (ModelRecord, User, Group, ApiKey, Revision, PeopleChange, Lock, Session, IdempotentRequest)
