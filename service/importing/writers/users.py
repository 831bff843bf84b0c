"""Importing users."""

from pydantic import ValidationError

from documents import User
from documents.derived_keys import user_derived_keys
from documents.folding import fold
from documents.grant import PrincipalType
from service.clock import now
from service.database.client import Database
from service.database.exact_bson import Record
from service.database.writes import Write, insert_one, stored, update_one
from service.errors import ConflictError
from service.importing.plan import Decision, ImportOptions, decide_update
from service.importing.records import ImportedUser
from service.importing.report import ImportOutcome, Report
from service.importing.writers.known import ExistingPrincipals
from service.models.grant_revocation import clear_leftovers
from service.models.principals import EXISTING
from service.people.users import finish_refresh

BATCH = 1000
_POWERS = frozenset({"role", "is_active"})
LEAVING = "is being deleted; try again when it is gone, or run: modeldeck doctor --repair"
NOT_BY_IMPORT = "exists, and role or is_active differ; change them with POST /api/users/update"
ATTEMPTS = 5
CONTENDED = "The same records are being changed by others all the time; try again later."


class UserWriter:
    """Writes the users of a source, batch by batch."""

    def __init__(self, database: Database, options: ImportOptions, report: Report) -> None:
        self._database = database
        self._options = options
        self._report = report
        self._batch: list[tuple[str, ImportedUser]] = []
        self._first_at: dict[str, str] = {}
        self._brought_emails: dict[str, str] = {}
        self.known = ExistingPrincipals(database, User)

    async def add(self, position: str, user: ImportedUser) -> None:
        """Take one user; writes when a batch is full."""
        first = self._first_at.setdefault(user.id, position)
        if first != position:
            self._report.reject(position, "user", user.id, f"the id is given twice, first at {first}")
            return
        self._batch.append((position, user))
        if len(self._batch) >= BATCH:
            await self.finish()

    async def finish(self) -> None:
        """Write what has been taken."""
        batch, self._batch = self._batch, []
        for _ in range(ATTEMPTS):
            batch = await self._write(batch) if batch else []
        if batch:
            raise ConflictError(CONTENDED)

    async def _write(self, batch: list[tuple[str, ImportedUser]]) -> list[tuple[str, ImportedUser]]:
        """Write a batch; return those refused, since somebody else took the id or the email in between."""
        ids = [user.id for _, user in batch]
        existing = {found["_id"]: found for found in await self._database.find(User, {"_id": {"$in": ids}})}
        emails = await self._email_owners([user for _, user in batch])
        writes: list[Write] = []
        written: list[tuple[str, ImportedUser, Decision]] = []
        rekey: list[str] = []
        for position, user in batch:
            if emails.setdefault(fold(user.email), user.id) != user.id:
                self._report.reject(position, "user", user.id, "email: is taken by another user")
                continue
            live = existing.get(user.id)
            said = _completed(user, live)
            decision = self._decide(said, live)
            if decision.writes:
                writes.append(self._user_write(said, live))
                written.append((position, user, decision))
                continue
            if decision.outcome is ImportOutcome.UNCHANGED and live is not None and live.get("rekey_pending"):
                rekey.append(user.id)
            self._settle(position, user, decision)
        refused: list[int] = []
        if not self._options.dry_run:
            new = [user.id for _, user, decision in written if decision.outcome is ImportOutcome.CREATED]
            await clear_leftovers(self._database, PrincipalType.USER, new)
            existed = [user_id for user_id in ids if user_id in existing]
            _, refused = await self._database.write_many(User, writes, any_shape=existed)
            taken_over = [user.id for at, (_, user, _) in enumerate(written) if at not in refused]
            await finish_refresh(self._database, rekey + taken_over)
        for at, (position, user, decision) in enumerate(written):
            if at not in refused:
                self._settle(position, user, decision)
        return [written[at][:2] for at in refused]

    def _settle(self, position: str, user: ImportedUser, decision: Decision) -> None:
        self._brought_emails[fold(user.email)] = user.id
        decision.add_to(self._report, position, "user", user.id)
        if decision.reason != LEAVING:
            self.known.bring(user.id)

    async def _email_owners(self, users: list[ImportedUser]) -> dict[str, str]:
        emails = [fold(user.email) for user in users]
        found = await self._database.find(User, {"keys.email": {"$in": emails}}, fields=["keys.email"])
        return {**{user["keys"]["email"]: user["_id"] for user in found}, **self._brought_emails}

    def _decide(self, user: ImportedUser, live: Record | None) -> Decision:
        if live is None:
            return Decision(ImportOutcome.CREATED)
        if live.get("leaving") is True:
            return Decision(ImportOutcome.REJECTED, reason=LEAVING)
        said = user.model_dump(exclude={"id"})
        differing = [field for field, value in said.items() if live.get(field) != value]
        if self._options.caller is not None and not _POWERS.isdisjoint(differing):
            # That there is always an admin is seen to there.
            return Decision(ImportOutcome.REJECTED, reason=NOT_BY_IMPORT)
        return decide_update(self._options, differing)

    def _user_write(self, user: ImportedUser, live: Record | None) -> Write:
        keys = user_derived_keys(email=user.email, name=user.name, username=user.username)
        fields = {**user.model_dump(exclude={"id"}), "keys": keys.model_dump()}
        moment = now()
        if live is None:
            new = {"group_ids": [], "created_at": moment, "updated_at": moment, "rekey_pending": True}
            return insert_one(stored(User(id=user.id, **fields, **new)))
        if self._options.caller is not None:
            # They were the same when they were read, and may have been changed since.
            fields = {field: value for field, value in fields.items() if field not in _POWERS}
        change = {"$set": {**fields, "updated_at": moment, "rekey_pending": True}}
        return update_one({"_id": user.id, **EXISTING}, change)


def _completed(user: ImportedUser, live: Record | None) -> ImportedUser:
    """Return what is said of a user; of one who is there, their powers stay as they are when not said."""
    left_out = {"role", "is_active"} - user.model_fields_set
    kept = {field: live[field] for field in left_out if live is not None and field in live}
    try:
        return ImportedUser.model_validate({**user.model_dump(exclude_unset=True), **kept})
    except ValidationError:
        # What others have written malformed gives way.
        return user
