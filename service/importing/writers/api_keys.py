"""Importing API keys: only their hashes are stored, so their clients go on with the keys that they have."""

from documents import ApiKey
from documents.api_key import Scope
from service.auth.authentication import api_key_hash, api_key_id
from service.database.client import Database
from service.errors import ConflictError, InvalidInputError, NotFoundError
from service.importing.plan import EXISTS, Decision, ImportOptions
from service.importing.records import ImportedApiKey
from service.importing.report import ImportOutcome, Report
from service.importing.writers.known import ExistingPrincipals
from service.people.api_keys import adopt_api_key, require_foreign_api_key


class ApiKeyWriter:
    """Writes the keys of a source, one by one. What is told of a key names it by a part of its hash."""

    def __init__(self, database: Database, options: ImportOptions, report: Report, users: ExistingPrincipals) -> None:
        self._database = database
        self._options = options
        self._report = report
        self._users = users
        # Those that a dry run would have stored, by id: the hash and the user of each.
        self._brought: dict[str, tuple[str, str]] = {}

    async def add(self, position: str, key: ImportedApiKey) -> None:
        """Take one key."""
        decision = await self._decide(key)
        if decision.writes and self._options.dry_run:
            self._brought[api_key_id(key.key.get_secret_value())] = _identity(key)
        elif decision.writes:
            decision = await self._adopted(key, decision)
        decision.add_to(self._report, position, "key", api_key_id(key.key.get_secret_value()))

    async def _decide(self, key: ImportedApiKey) -> Decision:
        secret = key.key.get_secret_value()
        try:
            require_foreign_api_key(secret)
        except InvalidInputError as error:
            return Decision(ImportOutcome.REJECTED, reason=error.detail)
        if key.user_id not in await self._users.among([key.user_id]):
            return Decision(ImportOutcome.REJECTED, reason=f"user_id: there is no user {key.user_id!r}")
        found = await self._database.find(ApiKey, {"_id": api_key_id(secret)})
        held = (found[0].get("sha256"), found[0].get("user_id")) if found else self._brought.get(api_key_id(secret))
        if held is None:
            return Decision(ImportOutcome.CREATED)
        return (
            Decision(ImportOutcome.UNCHANGED)
            if held == _identity(key)
            else Decision(ImportOutcome.CONFLICT, reason=EXISTS)
        )

    async def _adopted(self, key: ImportedApiKey, decision: Decision) -> Decision:
        try:
            await adopt_api_key(
                self._database,
                key.user_id,
                key.key.get_secret_value(),
                name=key.name,
                scope=Scope.WRITE,
                expires_at=key.expires_at,
            )
        except (ConflictError, NotFoundError) as error:
            return Decision(ImportOutcome.REJECTED, reason=error.detail)
        return decision


def _identity(key: ImportedApiKey) -> tuple[str, str]:
    return api_key_hash(key.key.get_secret_value()), key.user_id
