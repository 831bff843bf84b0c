"""Importing users."""

from dataclasses import dataclass, field

from pydantic import ValidationError

from documents import User
from documents.derived_keys import user_derived_keys
from documents.folding import fold
from documents.people_change import PeopleChangeKind
from service.clock import now
from service.database.client import Database
from service.database.exact_bson import Record
from service.database.writes import Write, insert_one, stored, update_one
from service.errors import ConflictError
from service.importing.operations import ExistingPrincipals
from service.importing.plan import ATTEMPTS, BEING_DELETED, CONTENDED, Decision, ImportOptions, decide_update
from service.importing.records import ImportedUser
from service.importing.report import ImportOutcome, Report
from service.models.principals import EXISTING
from service.models.store import LostRaceError
from service.people.history.recording import Occasion, recorded
from service.people.leftovers import clear_leftovers
from service.people.users import finish_refresh

BATCH = 1000
NOT_BY_IMPORT = "exists, and role or is_active differ; change them with POST /api/users/update"
_STAMP = "session_stamp"
# Changing them needs the check that an admin remains, which an import does not make.
_POWERS = frozenset({"role", "is_active"})

_Batch = list[tuple[str, ImportedUser]]


@dataclass(slots=True)
class _PlannedUsers:
    """The users of a batch that are to be written, and those whose records' derived keys still need a refresh."""

    users: list[tuple[str, ImportedUser, Decision]] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    pending_refresh: list[str] = field(default_factory=list)


class UserWriter:
    """Writes the users of a source, batch by batch."""

    def __init__(self, database: Database, options: ImportOptions, report: Report) -> None:
        self._database = database
        self._options = options
        self._report = report
        self._batch: _Batch = []
        self._first_at: dict[str, str] = {}
        self._imported_emails: dict[str, str] = {}
        self.existing = ExistingPrincipals(database, User)

    async def add(self, position: str, user: ImportedUser) -> None:
        """Add one user; writes when a batch is full."""
        first = self._first_at.setdefault(user.id, position)
        if first != position:
            self._report.reject(position, "user", user.id, f"the id is given twice, first at {first}")
            return
        self._batch.append((position, user))
        if len(self._batch) >= BATCH:
            await self.finish()

    async def finish(self) -> None:
        """Write everything that was added."""
        batch, self._batch = self._batch, []
        for _ in range(ATTEMPTS):
            batch = await self._write(batch) if batch else []
        if batch:
            raise ConflictError(CONTENDED)

    async def _write(self, batch: _Batch) -> _Batch:
        """Write a batch; return those to be written again, because somebody else took one of their ids or emails."""
        ids = [user.id for _, user in batch]
        existing = {found["_id"]: found for found in await self._database.find(User, {"_id": {"$in": ids}})}
        planned = await self._plan(batch, existing)
        if not self._options.dry_run:
            await self._options.check()
            new = [user.id for _, user, decision in planned.users if decision.outcome is ImportOutcome.CREATED]
            await clear_leftovers(self._database, User, new)
            try:
                await self._store(planned, new)
            except LostRaceError:
                await finish_refresh(self._database, planned.pending_refresh)
                return [(position, user) for position, user, _ in planned.users]
            written = [user.id for _, user, _ in planned.users]
            await finish_refresh(self._database, planned.pending_refresh + written)
        for position, user, decision in planned.users:
            self._finish_user(position, user, decision)
        return []

    async def _store(self, planned: _PlannedUsers, new: list[str]) -> None:
        existed = [user.id for _, user, decision in planned.users if decision.outcome is not ImportOutcome.CREATED]

        async def work() -> None:
            occasion = Occasion(self._options.by, PeopleChangeKind.IMPORT)
            async with recorded(self._database, User, occasion, new=new, changed={"_id": {"$in": existed}}):
                _, refused = await self._database.write_many(User, planned.writes, any_shape=existed)
                if refused:
                    raise LostRaceError

        if planned.writes:
            await self._database.in_transaction(work, bulk=True)

    async def _plan(self, batch: _Batch, existing: dict[str, Record]) -> _PlannedUsers:
        planned = _PlannedUsers()
        emails = await self._email_owners([user for _, user in batch])
        for position, user in batch:
            if emails.setdefault(fold(user.email), user.id) != user.id:
                self._report.reject(position, "user", user.id, "email: is taken by another user")
                continue
            stored_user = existing.get(user.id)
            completed = _completed(user, stored_user)
            decision = self._decide(completed, stored_user)
            if decision.writes:
                planned.writes.append(self._user_write(completed, stored_user))
                planned.users.append((position, user, decision))
                continue
            if decision.outcome is ImportOutcome.UNCHANGED and (stored_user or {}).get("rekey_pending"):
                planned.pending_refresh.append(user.id)
            self._finish_user(position, user, decision)
        return planned

    def _finish_user(self, position: str, user: ImportedUser, decision: Decision) -> None:
        self._imported_emails[fold(user.email)] = user.id
        decision.add_to(self._report, position, "user", user.id)
        if decision.reason != BEING_DELETED:
            self.existing.add(user.id)

    async def _email_owners(self, users: list[ImportedUser]) -> dict[str, str]:
        emails = [fold(user.email) for user in users]
        found = await self._database.find(User, {"keys.email": {"$in": emails}}, fields=["keys.email"])
        return {**{user["keys"]["email"]: user["_id"] for user in found}, **self._imported_emails}

    def _decide(self, user: ImportedUser, stored_user: Record | None) -> Decision:
        if stored_user is None:
            return Decision(ImportOutcome.CREATED)
        if stored_user.get("leaving") is True:
            return Decision(ImportOutcome.REJECTED, reason=BEING_DELETED)
        imported = user.model_dump(exclude={"id"})
        differing = [field for field, value in imported.items() if stored_user.get(field) != value]
        if self._options.caller is not None and not _POWERS.isdisjoint(differing):
            return Decision(ImportOutcome.REJECTED, reason=NOT_BY_IMPORT)
        return decide_update(self._options, differing)

    def _user_write(self, user: ImportedUser, stored_user: Record | None) -> Write:
        derived_keys = user_derived_keys(email=user.email, name=user.name, username=user.username)
        fields = {**user.model_dump(exclude={"id"}), "keys": derived_keys.model_dump()}
        moment = now()
        if stored_user is None:
            new = {"group_ids": [], "created_at": moment, "updated_at": moment, "rekey_pending": True}
            return insert_one(stored(User(id=user.id, **fields, **new)))
        if self._options.caller is not None:
            # They were equal when they were read, and may have been changed since.
            fields = {field: value for field, value in fields.items() if field not in _POWERS}
        change = {"$set": {**fields, "updated_at": moment, "rekey_pending": True}}
        return update_one({"_id": user.id, **EXISTING}, change)


def _completed(user: ImportedUser, stored_user: Record | None) -> ImportedUser:
    """Return the user with the stored role, `is_active` and stamp where the source does not give them."""
    stored_fields = stored_user or {}
    absent = {*_POWERS, _STAMP} - user.model_fields_set
    kept = {field: stored_fields[field] for field in absent if field in stored_fields}
    try:
        return ImportedUser.model_validate({**user.model_dump(exclude_unset=True), **kept})
    except ValidationError:
        # A malformed value, which was written past the service, is replaced.
        return user
