"""The users and groups that imported models name: owners and grantees who are here, and those who are not."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from documents import Group, ModelRecord
from documents.grant import EVERYONE, PrincipalType
from service.auth import access_rule
from service.auth.access_rule import Match
from service.clock import now
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import ConflictError, InvalidInputError, invalid_input
from service.importing.candidate import Candidate
from service.importing.operations import ExistingPrincipals
from service.importing.plan import ImportOptions, UnknownOwner
from service.importing.report import ImportOutcome, Report
from service.models.fingerprints import grant_path, paths_there
from service.people.groups import add_group

OWNER_KEPT = "user_id: there is no user {!r} here; kept (see --map-users and --unknown-owner)"
OWNER_REPLACED = "user_id: there is no user {!r} here; {!r} owns it"
OWNER_REJECTED = "user_id: there is no user {!r} here (see --map-users)"


class NamedPrincipals:
    """Settles, batch by batch, what becomes of owners and grantees who are not here."""

    def __init__(
        self,
        database: Database,
        options: ImportOptions,
        report: Report,
        existing: Mapping[PrincipalType, ExistingPrincipals],
    ) -> None:
        self._database = database
        self._options = options
        self._report = report
        self._existing = existing
        self._group_names: dict[str, str] = {}

    def name_groups(self, names: Sequence[tuple[str, str]]) -> None:
        """Remember the names of groups whose ids were made from them, for when they are created."""
        self._group_names.update(names)

    async def settle(self, batch: Sequence[Candidate]) -> list[Candidate]:
        """Return the models of a batch that are imported, each with an owner and without grants to nobody."""
        kept = await self._with_owners(batch)
        await self._leave_out_absent_grantees(kept)
        return kept

    async def _with_owners(self, batch: Sequence[Candidate]) -> list[Candidate]:
        named = {owner for candidate in batch if (owner := candidate.content.get("user_id")) is not None}
        known = await self._existing[PrincipalType.USER].filter(named)
        absent = [candidate for candidate in batch if candidate.content.get("user_id") not in {*known, None}]
        if not absent:
            return list(batch)
        policy = self._options.unknown_owner
        query: Match = {"_id": {"$in": [candidate.record_id for candidate in absent]}}
        if self._options.caller is not None:
            # A note must not tell who owns what the caller can't read.
            query |= access_rule.readable(self._options.caller)
        records = await self._database.find(ModelRecord, query, fields=["user_id"])
        current = await self._owners_here(records)
        for candidate in absent:
            owner = candidate.content["user_id"]
            self._report.add_unknown_owner(owner)
            if policy is UnknownOwner.REJECT:
                self._report.reject(candidate.position, "model", candidate.model.id, OWNER_REJECTED.format(owner))
                continue
            candidate.owner_unknown = True
            if policy is UnknownOwner.OWNER:
                candidate.content["user_id"] = self._options.owner_id
            if candidate.record_id in current:
                self._note(candidate, OWNER_REPLACED.format(owner, current[candidate.record_id]))
            elif policy is UnknownOwner.OWNER:
                self._note(candidate, OWNER_REPLACED.format(owner, self._options.owner_id))
            else:
                self._note(candidate, OWNER_KEPT.format(owner))
        rejected = {id(candidate) for candidate in absent} if policy is UnknownOwner.REJECT else set()
        return [candidate for candidate in batch if id(candidate) not in rejected]

    async def keep_owners(self, batch: Sequence[Candidate], records: Sequence[Record]) -> None:
        """Let the records that have an owner who is here keep them, where the source names one who is not."""
        unknown = [candidate for candidate in batch if candidate.owner_unknown]
        current = await self._owners_here(records) if unknown else {}
        for candidate in unknown:
            candidate.keeps_owner = candidate.record_id in current

    async def _owners_here(self, records: Sequence[Record]) -> dict[str, str]:
        """Return, by their ids, the owners of records, as far as they are here too."""
        owners = {record["_id"]: owner for record in records if isinstance(owner := record.get("user_id"), str)}
        known = await self._existing[PrincipalType.USER].filter(owners.values())
        return {record_id: owner for record_id, owner in owners.items() if owner in known}

    def _note(self, candidate: Candidate, note: str) -> None:
        self._report.add(ImportOutcome.NOTE, candidate.position, "model", candidate.model.id, reason=note)

    async def _leave_out_absent_grantees(self, batch: Sequence[Candidate]) -> None:
        named: dict[str, set[str]] = {PrincipalType.USER: set(), PrincipalType.GROUP: set()}
        for candidate in batch:
            for grant in candidate.model.access_grants:
                named[grant.principal_type].add(grant.principal_id)
        if self._options.create_groups and batch:
            positions = {
                grant.principal_id: candidate.position
                for candidate in reversed(batch)
                for grant in candidate.model.access_grants
                if grant.principal_type == PrincipalType.GROUP
            }
            await self._create_groups(positions)
        existing = {kind: await self._existing[PrincipalType(kind)].filter(ids) for kind, ids in named.items()}
        existing[PrincipalType.USER].add(EVERYONE)
        for candidate in batch:
            kept = []
            for grant in candidate.model.access_grants:
                if grant.principal_id in existing[grant.principal_type]:
                    kept.append(grant)
                else:
                    reason = f"access_grants: there is no {grant.principal_type} {grant.principal_id!r}"
                    self._report.reject_part(candidate.position, "model", candidate.model.id, reason)
                    candidate.unbrought += paths_there(grant_path(grant.model_dump()), candidate.users_there)
            if len(kept) != len(candidate.model.access_grants):
                candidate.content["access_grants"] = [grant.model_dump() for grant in kept]

    async def _create_groups(self, named: Mapping[str, str]) -> None:
        """Create the groups that are not here, of those that are named, each with the position that names it first."""
        groups = self._existing[PrincipalType.GROUP]
        for group_id in sorted(named.keys() - await groups.filter(named)):
            position = named[group_id]
            name = self._group_names.get(group_id, group_id)
            try:
                _require_group(group_id, name)
                if not self._options.dry_run:
                    await self._options.check()
                    await add_group(self._database, name=name, group_id=group_id, by=self._options.by)
            except (ConflictError, InvalidInputError) as error:
                self._report.reject(position, "group", group_id, error.detail)
                continue
            groups.add(group_id)
            called = "" if name == group_id else f" as {name!r}"
            self._report.add(ImportOutcome.CREATED, position, "group", group_id, reason=f"named by a grant{called}")


def _require_group(group_id: str, name: Any) -> None:
    """Raise InvalidInputError for a group that could not be stored, so that a dry run says so too."""
    try:
        Group(id=group_id, name=name, parent_id=None, created_at=now(), updated_at=now())
    except ValidationError as error:
        raise invalid_input(error) from None
