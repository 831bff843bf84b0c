"""Whether a caller may import a model, judged on the record as it is stored at that moment."""

from collections.abc import Iterator

from service.auth import access_rule
from service.auth.authentication import Caller
from service.database.exact_bson import Record
from service.errors import TooLargeError
from service.importing.operations import ExistingModel, complete_content
from service.models.bulk_change import malformed_detail
from service.models.operations import NOT_MANAGED, READ_ONLY, TAKEN
from service.models.record import Content, require_storable
from service.models.shape_check import malformed_fields

# A field, and a sentence that says what is wrong with it.
Problem = tuple[str, str]


def problems(content: Content, existing: ExistingModel, caller: Caller) -> Iterator[Problem]:
    """Yield what forbids the caller to import this content, which is aligned with the existing record."""
    record = existing.record
    if record is None:
        yield from _problems_of_new(content, existing, caller)
    elif not access_rule.can_write(caller, record):
        yield "id", READ_ONLY
    elif fields := malformed_fields(record, with_params=True):
        yield "id", malformed_detail(fields)
    else:
        yield from _problems_of_change(complete_content(content, record, caller.user_id), record, caller)


def _problems_of_new(content: Content, existing: ExistingModel, caller: Caller) -> Iterator[Problem]:
    if existing.taken:
        yield "id", TAKEN
        return
    if "name" not in content:
        yield "name", "must be given for a new model"
        return
    if not caller.is_admin and content.get("user_id", caller.user_id) != caller.user_id:
        yield "user_id", "only admins may create models for others"
    yield from _size_problem(complete_content(content, None, caller.user_id))


def _problems_of_change(content: Content, record: Record, caller: Caller) -> Iterator[Problem]:
    if not access_rule.can_manage(caller, record) and content["access_grants"] != record["access_grants"]:
        yield "access_grants", NOT_MANAGED
    if not caller.is_admin and content["user_id"] != record["user_id"]:
        yield "user_id", "only admins may change the owner"
    yield from _size_problem(content)


def _size_problem(content: Content) -> Iterator[Problem]:
    try:
        require_storable(content)
    except TooLargeError as error:
        yield "id", error.detail
