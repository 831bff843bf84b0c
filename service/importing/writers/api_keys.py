"""Importing API keys: only their hashes are stored, so that clients can go on with the API keys that they have."""

from documents import ApiKey
from documents.api_key import Scope
from service.auth.authentication import api_key_hash, api_key_id
from service.database.client import Database
from service.errors import ConflictError, InvalidInputError, NotFoundError
from service.importing.operations import ExistingPrincipals
from service.importing.plan import EXISTS, Decision, ImportOptions
from service.importing.records import ImportedApiKey
from service.importing.report import ImportOutcome, Report
from service.people.api_keys import adopt_api_key, require_foreign_api_key


class ApiKeyWriter:
    """Writes the API keys of a source, one by one. The report names an API key by a part of its hash."""

    def __init__(self, database: Database, options: ImportOptions, report: Report, users: ExistingPrincipals) -> None:
        self._database = database
        self._options = options
        self._report = report
        self._users = users
        # The API keys that a dry run would have stored, by id: the hash and the user of each.
        self._imported: dict[str, tuple[str, str]] = {}

    async def add(self, position: str, api_key: ImportedApiKey) -> None:
        """Import one API key."""
        record_id = api_key_id(api_key.key.get_secret_value())
        decision = await self._decide(api_key, record_id)
        if decision.writes and self._options.dry_run:
            self._imported[record_id] = _identity(api_key)
        elif decision.writes:
            decision = await self._stored(api_key, decision)
        decision.add_to(self._report, position, "api_key", record_id)

    async def _decide(self, api_key: ImportedApiKey, record_id: str) -> Decision:
        try:
            require_foreign_api_key(api_key.key.get_secret_value())
        except InvalidInputError as error:
            return Decision(ImportOutcome.REJECTED, reason=error.detail)
        if api_key.user_id not in await self._users.filter([api_key.user_id]):
            return Decision(ImportOutcome.REJECTED, reason=f"user_id: there is no user {api_key.user_id!r}")
        found = await self._database.find(ApiKey, {"_id": record_id})
        existing = (found[0].get("sha256"), found[0].get("user_id")) if found else self._imported.get(record_id)
        if existing is None:
            return Decision(ImportOutcome.CREATED)
        if existing == _identity(api_key):
            return Decision(ImportOutcome.UNCHANGED)
        return Decision(ImportOutcome.CONFLICT, reason=EXISTS)

    async def _stored(self, api_key: ImportedApiKey, decision: Decision) -> Decision:
        try:
            await adopt_api_key(
                self._database,
                api_key.user_id,
                api_key.key.get_secret_value(),
                name=api_key.name,
                scope=Scope.WRITE,
                expires_at=api_key.expires_at,
            )
        except (ConflictError, NotFoundError) as error:
            return Decision(ImportOutcome.REJECTED, reason=error.detail)
        return decision


def _identity(api_key: ImportedApiKey) -> tuple[str, str]:
    return api_key_hash(api_key.key.get_secret_value()), api_key.user_id
