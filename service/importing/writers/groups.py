"""Importing groups and their members."""

from typing import Any

from documents import Group, User
from documents.people_change import PeopleChangeKind
from documents.text import MAX_ID_LENGTH, text_problem
from service.clock import now
from service.database.client import Database
from service.database.exact_bson import Record
from service.database.locks import serialized
from service.database.writes import Write, insert_one, stored, update_one
from service.errors import ConflictError, RightsChangedError, UnauthorizedError
from service.importing.operations import ExistingPrincipals, batches
from service.importing.plan import ATTEMPTS, BEING_DELETED, CONTENDED, Decision, ImportOptions, decide_update
from service.importing.records import ImportedGroup
from service.importing.report import ImportOutcome, Report
from service.models.principals import EXISTING
from service.models.store import LostRaceError, back_off
from service.people.groups import ancestors
from service.people.history.recording import Occasion, recorded
from service.people.leftovers import clear_leftovers

BATCH = 1000
_IMPORTED = (ImportOutcome.CREATED, ImportOutcome.UPDATED, ImportOutcome.UNCHANGED)


class GroupWriter:
    """Writes the groups of a source, all at once, since a parent may come after its child."""

    def __init__(self, database: Database, options: ImportOptions, report: Report) -> None:
        self._database = database
        self._options = options
        self._report = report
        self._groups: dict[str, tuple[str, ImportedGroup]] = {}
        self.existing = ExistingPrincipals(database, Group)

    def add(self, position: str, group: ImportedGroup) -> None:
        """Add one group."""
        if group.id in self._groups:
            first = self._groups[group.id][0]
            self._report.reject(position, "group", group.id, f"the id is given twice, first at {first}")
            return
        self._groups[group.id] = (position, group)

    async def finish(self, users: ExistingPrincipals) -> None:
        """Write everything that was added; `users` are those who can be members."""
        if not self._groups:
            return
        decisions = await self._write()
        unreported = dict(self._groups)
        try:
            for position, group in self._groups.values():
                decision = decisions[group.id]
                if group.member_ids is not None and decision.outcome in _IMPORTED:
                    decision = await self._set_members(position, group, group.member_ids, users, decision)
                decision.add_to(self._report, position, "group", group.id)
                del unreported[group.id]
        except (UnauthorizedError, RightsChangedError):
            # The groups themselves were written, which the answer must count.
            for position, group in unreported.values():
                decisions[group.id].add_to(self._report, position, "group", group.id)
            raise

    async def _write(self) -> dict[str, Decision]:
        decisions, writes = await self._decide()
        if self._options.dry_run or not writes:
            return decisions
        for attempt in range(ATTEMPTS):
            await self._options.check()
            try:
                return await serialized(self._database, self._attempt, bulk=True)
            except LostRaceError:
                await back_off(attempt)
        raise ConflictError(CONTENDED)

    async def _attempt(self) -> dict[str, Decision]:
        """Write all groups in the caller's transaction; raise LostRaceError when somebody else took an id."""
        decisions, writes = await self._decide()
        new = [group_id for group_id, decision in decisions.items() if decision.outcome is ImportOutcome.CREATED]
        await clear_leftovers(self._database, Group, new)
        ids = list(decisions)
        occasion = Occasion(self._options.by, PeopleChangeKind.IMPORT)
        async with recorded(self._database, Group, occasion, new=new, changed={"_id": {"$in": ids}}):
            _, refused = await self._database.write_many(Group, writes, any_shape=ids)
            if refused:
                raise LostRaceError
        return decisions

    async def _decide(self) -> tuple[dict[str, Decision], list[Write]]:
        existing = {group["_id"]: group for group in await self._database.find(Group, {})}
        self._reject_being_deleted(existing)
        self._reject_misplaced({group_id: group.get("parent_id") for group_id, group in existing.items()})
        decisions, writes = {}, []
        for _, group in self._groups.values():
            stored_group = existing.get(group.id)
            decisions[group.id] = decision = _decision(self._options, group, stored_group)
            if decision.writes:
                writes.append(_group_write(group, stored_group))
            self.existing.add(group.id)
        return decisions, writes

    def _reject_being_deleted(self, existing: dict[str, Record]) -> None:
        for group_id in [group_id for group_id, group in existing.items() if group.get("leaving") is True]:
            del existing[group_id]
            if group_id in self._groups:
                position, _ = self._groups.pop(group_id)
                self._report.reject(position, "group", group_id, BEING_DELETED)

    def _reject_misplaced(self, existing_parents: dict[str, str | None]) -> None:
        # A rejected group can be the parent of another one, which is then misplaced too.
        while True:
            parents = {**existing_parents, **{group.id: group.parent_id for _, group in self._groups.values()}}
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

    async def _set_members(
        self, position: str, group: ImportedGroup, wanted: list[Any], users: ExistingPrincipals, decision: Decision
    ) -> Decision:
        members = await self._existing_members(position, group, wanted, users)
        current = {user["_id"] for user in await self._database.find(User, {"group_ids": group.id}, fields=["_id"])}
        if members == current or (decision.outcome is ImportOutcome.CREATED and not members):
            return decision
        if decision.outcome is not ImportOutcome.CREATED:
            decision = decide_update(self._options, [*decision.fields, "member_ids"])
        if decision.writes and not self._options.dry_run:
            await self._change_members(group.id, sorted(members - current), "$addToSet")
            await self._change_members(group.id, sorted(current - members), "$pull")
        return decision

    async def _existing_members(
        self, position: str, group: ImportedGroup, wanted: list[Any], users: ExistingPrincipals
    ) -> set[str]:
        named = {member for member in wanted if isinstance(member, str)}
        for member in wanted:
            if not isinstance(member, str):
                self._report.reject_part(position, "group", group.id, "member_ids: a user id must be text")
        # Other texts can't be ids, and MongoDB can't be asked for some of them.
        possible = sorted(member for member in named if len(member) <= MAX_ID_LENGTH and not text_problem(member))
        members: set[str] = set()
        for batch in batches(possible, BATCH):
            members |= await users.filter(batch)
        for absent in sorted(named - members):
            self._report.reject_part(position, "group", group.id, f"member_ids: there is no user {absent[:300]!r}")
        return members

    async def _change_members(self, group_id: str, user_ids: list[str], operator: str) -> None:
        change = {operator: {"group_ids": group_id}, "$set": {"updated_at": now()}}
        for batch in batches(user_ids, BATCH):
            await self._options.check()
            members = {"_id": {"$in": list(batch)}, **EXISTING}

            async def work(query: dict[str, Any] = members) -> None:
                # The group may have been deleted since it was written; it must not get members then.
                if await self._database.count(Group, {"_id": group_id, **EXISTING}):
                    occasion = Occasion(self._options.by, PeopleChangeKind.IMPORT)
                    async with recorded(self._database, User, occasion, changed=query):
                        await self._database.update_many(User, query, change, any_shape=True)

            await serialized(self._database, work)


def _decision(options: ImportOptions, group: ImportedGroup, stored_group: Record | None) -> Decision:
    if stored_group is None:
        return Decision(ImportOutcome.CREATED)
    imported = {"name": group.name, "parent_id": group.parent_id}
    return decide_update(options, [field for field, value in imported.items() if stored_group.get(field) != value])


def _group_write(group: ImportedGroup, stored_group: Record | None) -> Write:
    moment = now()
    fields = {"name": group.name, "parent_id": group.parent_id}
    if stored_group is None:
        return insert_one(stored(Group(id=group.id, **fields, created_at=moment, updated_at=moment)))
    return update_one({"_id": group.id}, {"$set": {**fields, "updated_at": moment}})
