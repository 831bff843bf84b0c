"""Importing users and groups."""

from typing import Any

from documents import Group, User
from documents.folding import fold
from documents.keys import user_keys
from service.clock import now
from service.database import Database, insert_one, stored, update_one
from service.errors import ConflictError
from service.migration.known import Known
from service.migration.options import ImportOptions, OnConflict
from service.migration.records import GroupInput, UserInput
from service.migration.report import Outcome, Report
from service.people.groups import ancestors
from service.people.users import finish_rekeying

BATCH = 1000
EXISTS = "exists and differs"
ATTEMPTS = 5
CONTENDED = "The same records are being changed by others all the time; try again later."


class UserImport:
    """Writes the users of a source, batch by batch."""

    def __init__(self, database: Database, options: ImportOptions, report: Report) -> None:
        self._database = database
        self._options = options
        self._report = report
        self._batch: list[tuple[str, UserInput]] = []
        self._first_at: dict[str, str] = {}
        self._brought_emails: dict[str, str] = {}
        self.known = Known(database, User)

    async def add(self, position: str, user: UserInput) -> None:
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

    async def _write(self, batch: list[tuple[str, UserInput]]) -> list[tuple[str, UserInput]]:
        """Write a batch; return those refused, since somebody else took the id or the email in between."""
        ids = [user.id for _, user in batch]
        existing = {found["_id"]: found for found in await self._database.find(User, {"_id": {"$in": ids}})}
        emails = await self._email_owners([user for _, user in batch])
        writes, written, rekey = [], [], []
        for position, user in batch:
            if emails.setdefault(fold(user.email), user.id) != user.id:
                self._report.reject(position, "user", user.id, "email: is taken by another user")
                continue
            live = existing.get(user.id)
            outcome = self._outcome(position, user, live)
            if outcome in (Outcome.CREATED, Outcome.UPDATED):
                writes.append(_user_write(user, live))
                written.append((position, user, outcome))
                continue
            if outcome is Outcome.UNCHANGED and live is not None and live.get("rekey_pending"):
                rekey.append(user.id)
            self._settle(user, outcome)
        refused: list[int] = []
        if not self._options.dry_run:
            _, refused = await self._database.write_many(User, writes)
            taken_over = [user.id for at, (_, user, _) in enumerate(written) if at not in refused]
            await finish_rekeying(self._database, rekey + taken_over)
        for at, (_, user, outcome) in enumerate(written):
            if at not in refused:
                self._settle(user, outcome)
        return [written[at][:2] for at in refused]

    def _settle(self, user: UserInput, outcome: Outcome) -> None:
        self._brought_emails[fold(user.email)] = user.id
        if outcome is not Outcome.REJECTED:
            self._report.count("user", outcome)
            self.known.bring(user.id)

    async def _email_owners(self, users: list[UserInput]) -> dict[str, str]:
        emails = [fold(user.email) for user in users]
        found = await self._database.find(User, {"keys.email": {"$in": emails}}, fields=["keys.email"])
        return {**{user["keys"]["email"]: user["_id"] for user in found}, **self._brought_emails}

    def _outcome(self, position: str, user: UserInput, live: dict[str, Any] | None) -> Outcome:
        if live is None:
            return Outcome.CREATED
        if all(live.get(field) == value for field, value in user.model_dump(exclude={"id"}).items()):
            return Outcome.UNCHANGED
        return _resolved(self._options, self._report, position, "user", user.id)


def _resolved(options: ImportOptions, report: Report, position: str, kind: str, record_id: str) -> Outcome:
    if options.on_conflict is OnConflict.FAIL:
        report.reject(position, kind, record_id, EXISTS)
        return Outcome.REJECTED
    return Outcome.SKIPPED if options.on_conflict is OnConflict.SKIP else Outcome.UPDATED


def _user_write(user: UserInput, live: dict[str, Any] | None) -> Any:
    fields = {**user.model_dump(exclude={"id"}), "keys": user_keys(email=user.email).model_dump()}
    moment = now()
    if live is None:
        new = {"group_ids": [], "created_at": moment, "updated_at": moment, "rekey_pending": True}
        return insert_one(stored(User(id=user.id, **fields, **new)))
    return update_one({"_id": user.id}, {"$set": {**fields, "updated_at": moment, "rekey_pending": True}})


class GroupImport:
    """Writes the groups of a source, all at once, since a parent may come after its child."""

    def __init__(self, database: Database, options: ImportOptions, report: Report) -> None:
        self._database = database
        self._options = options
        self._report = report
        self._groups: dict[str, tuple[str, GroupInput]] = {}
        self.known = Known(database, Group)

    def add(self, position: str, group: GroupInput) -> None:
        """Take one group."""
        if group.id in self._groups:
            first = self._groups[group.id][0]
            self._report.reject(position, "group", group.id, f"the id is given twice, first at {first}")
            return
        self._groups[group.id] = (position, group)

    async def finish(self, users: Known) -> None:
        """Write what has been taken; `users` are those who can be members."""
        if not self._groups:
            return
        outcomes: dict[str, Outcome] = {}
        for _ in range(ATTEMPTS):
            if not await self._write(outcomes):
                break
        else:
            raise ConflictError(CONTENDED)
        for position, group in self._groups.values():
            outcome = outcomes[group.id]
            if outcome in (Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED) and group.member_ids is not None:
                changed = await self._set_members(position, group, group.member_ids, users)
                outcome = Outcome.UPDATED if changed and outcome is Outcome.UNCHANGED else outcome
            if outcome is not Outcome.REJECTED:
                self._report.count("group", outcome)

    async def _write(self, outcomes: dict[str, Outcome]) -> bool:
        """Write the groups without an outcome; say whether any was refused, its id taken in between."""
        live = {group["_id"]: group for group in await self._database.find(Group, {})}
        self._reject_misplaced({group_id: group.get("parent_id") for group_id, group in live.items()})
        writes, written = [], []
        for position, group in self._groups.values():
            if group.id in outcomes:
                continue
            current = live.get(group.id)
            outcomes[group.id] = outcome = self._outcome(position, group, current)
            if outcome in (Outcome.CREATED, Outcome.UPDATED):
                writes.append(_group_write(group, current))
                written.append(group.id)
            self.known.bring(group.id)
        if self._options.dry_run:
            return False
        _, refused = await self._database.write_many(Group, writes)
        for at in refused:
            del outcomes[written[at]]
        return bool(refused)

    def _reject_misplaced(self, live_parents: dict[str, str | None]) -> None:
        while True:
            parents = {**live_parents, **{group.id: group.parent_id for _, group in self._groups.values()}}
            misplaced = {}
            for position, group in self._groups.values():
                if group.parent_id is not None and group.parent_id not in parents:
                    misplaced[group.id] = (position, f"parent_id: there is no group {group.parent_id!r}")
                elif group.id in ancestors(group.id, parents):
                    misplaced[group.id] = (position, "parent_id: the group would be its own ancestor")
            if not misplaced:
                return
            for group_id, (position, reason) in misplaced.items():
                self._report.reject(position, "group", group_id, reason)
                del self._groups[group_id]

    def _outcome(self, position: str, group: GroupInput, live: dict[str, Any] | None) -> Outcome:
        if live is None:
            return Outcome.CREATED
        if _same(group, live):
            return Outcome.UNCHANGED
        return _resolved(self._options, self._report, position, "group", group.id)

    async def _set_members(self, position: str, group: GroupInput, wanted: list[Any], users: Known) -> bool:
        named = {member for member in wanted if isinstance(member, str)}
        for member in wanted:
            if not isinstance(member, str):
                self._report.reject(position, "group", group.id, "member_ids: a user id must be text", whole=False)
        members: set[str] = set()
        ordered = sorted(named)
        for start in range(0, len(ordered), BATCH):
            members |= await users.among(ordered[start : start + BATCH])
        for absent in sorted(named - members):
            self._report.reject(
                position, "group", group.id, f"member_ids: there is no user {absent[:300]!r}", whole=False
            )
        current = {user["_id"] for user in await self._database.find(User, {"group_ids": group.id}, fields=["_id"])}
        joining, leaving = sorted(members - current), sorted(current - members)
        if leaving and self._options.on_conflict is not OnConflict.UPDATE:
            leaving = []
        if not self._options.dry_run:
            await self._move(joining, {"$addToSet": {"group_ids": group.id}})
            await self._move(leaving, {"$pull": {"group_ids": group.id}})
        return bool(joining or leaving)

    async def _move(self, user_ids: list[str], change: dict[str, Any]) -> None:
        for start in range(0, len(user_ids), BATCH):
            query = {"_id": {"$in": user_ids[start : start + BATCH]}}
            await self._database.update_many(User, query, {**change, "$set": {"updated_at": now()}})


def _same(group: GroupInput, live: dict[str, Any] | None) -> bool:
    return live is not None and live["name"] == group.name and live.get("parent_id") == group.parent_id


def _group_write(group: GroupInput, live: dict[str, Any] | None) -> Any:
    moment = now()
    fields = {"name": group.name, "parent_id": group.parent_id}
    if live is None:
        return insert_one(stored(Group(id=group.id, **fields, created_at=moment, updated_at=moment)))
    return update_one({"_id": group.id}, {"$set": {**fields, "updated_at": moment}})
