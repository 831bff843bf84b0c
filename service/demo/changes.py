"""What the people of the demo change in it, so that a fresh directory has something to show of who changed what."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from documents.grant import Permission, user_principal
from documents.revision import ChangeKind
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import ConflictError, ForbiddenError, NotFoundError
from service.models import operations
from service.models.operations import ChangeRequest
from service.models.record import Content


class _Change(NamedTuple):
    user_id: str
    model_id: str
    kind: ChangeKind
    content: Callable[[Record], Content]


def _described(description: str) -> Callable[[Record], Content]:
    return lambda record: {"meta": {**record["meta"], "description": description}}


def _set(**params: Any) -> Callable[[Record], Content]:
    return lambda record: {"params": {**record["params"], **params}}


def _promoted(user_id: str) -> Callable[[Record], Content]:
    def granted(record: Record) -> Content:
        return {
            "access_grants": [
                {**grant, "permission": Permission.WRITE.value} if grant["principal_id"] == user_id else grant
                for grant in record["access_grants"]
            ]
        }

    return granted


_CHANGES = (
    _Change("u-emeka", "runbook-writer", ChangeKind.UPDATE, _set(temperature=0.1)),
    _Change("u-kenji", "go-tutor", ChangeKind.ACCESS, _promoted("u-emeka")),
    _Change("u-priya", "legacy-migrator", ChangeKind.UPDATE, _set(max_tokens=4096)),
    _Change(
        "u-kenji",
        "faq-writer",
        ChangeKind.UPDATE,
        _described("Makes help-centre articles from solved tickets, one question each."),
    ),
    _Change(
        "u-priya",
        "bug-triage",
        ChangeKind.UPDATE,
        _described("Sorts incoming bug reports by severity and component, and asks for what is missing."),
    ),
)


async def make_changes(database: Database) -> None:
    """Make the changes, each as the user who makes it; those of models that are not the demo's are left out."""
    for user_id, model_id, kind, content in _CHANGES:
        caller = Caller(user_id, is_admin=False, principals=frozenset({user_principal(user_id)}))
        request = ChangeRequest(caller, model_id, kind, manages=kind is ChangeKind.ACCESS)
        # A model with this id can be somebody else's.
        with suppress(NotFoundError, ForbiddenError, ConflictError):
            await operations.change(database, request, content)
