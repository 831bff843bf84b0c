"""The service under test as its clients see it, with short ways to fill it and to send requests."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from beanie import Document
from fastapi import FastAPI

from documents import ApiKey, Group, ModelRecord, User
from documents.api_key import Scope
from documents.derived_keys import user_derived_keys
from documents.user import Role
from service.app import create_app
from service.auth.authentication import api_key_hash, api_key_id, new_api_key
from service.clock import now
from service.database.client import Database
from service.importing.engine import run_import
from service.importing.plan import ImportOptions
from service.importing.readers.bundle import read_bundle
from service.importing.report import Report
from service.importing.source import open_source
from service.people.api_keys import create_api_key
from service.people.groups import add_group
from service.people.users import add_user, find_user
from service.settings import Settings

LIST = "/api/models/list"


class BuiltApp(NamedTuple):
    """An application, and a place for the database that it opens when it starts."""

    app: FastAPI
    opened: list[Database]


# Applications for reuse, since building one takes 0.2 s. Each start resets their state, except for the metrics.
_idle: defaultdict[Hashable, list[BuiltApp]] = defaultdict(list)


@contextmanager
def built_app(settings: Settings, database: Database, *, new: bool = False) -> Iterator[FastAPI]:
    """Yield an unused application with these settings; with `new`, a new one, whose metrics start at zero."""
    key = _settings_that_matter(settings)
    if _idle[key] and not new:
        built = _idle[key].pop()
    else:
        opened: list[Database] = []
        built = BuiltApp(create_app(settings, lambda _: opened[-1]), opened)
    built.opened[:] = [database]
    try:
        yield built.app
    finally:
        built.opened.clear()
        # Not reused if the exporter of traces was shut down.
        if key == _settings_that_matter(settings) and not settings.tracing:
            _idle[key].append(built)


def _settings_that_matter(settings: Settings) -> Hashable:
    """Return what two tests must have in common to use one application."""
    jwks = settings.jwt_jwks_file and settings.jwt_jwks_file.read_bytes()
    # Every test has its own data directory, which the application does not use.
    own = {"data_dir", "jwt_jwks_file"}
    return jwks, frozenset((name, value) for name, value in settings if name not in own)


class Directory:
    """A running service and its database."""

    def __init__(self, app: FastAPI, client: httpx.AsyncClient, database: Database, settings: Settings) -> None:
        self.app = app
        self.client = client
        self.database = database
        self.settings = settings
        self._keys: dict[str, str] = {}
        self._reports: list[Report] = []

    @classmethod
    @asynccontextmanager
    async def on(cls, database: Database, settings: Settings, *, new_app: bool = False) -> AsyncIterator["Directory"]:
        """Run the service on an open database; with `new_app`, in an application that was not used before."""
        with built_app(settings, database, new=new_app) as app:
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://test") as client,
            ):
                directory = cls(app, client, database, settings)
                yield directory
                for report in directory._reports:
                    report.close()
        # Cancelled work may still be stopping on the server; the next test must not record its commands.
        await database.calls.background.finish()

    async def user(self, user_id: str, *, role: Role = Role.USER, groups: Sequence[str] = (), **fields: Any) -> str:
        """Add a user with a key, and make them a member of existing groups; return their id."""
        values = {"name": f"Name of {user_id}", "email": f"{user_id}@example.com", **fields}
        if await self._may_refer():
            user = await add_user(self.database, user_id=user_id, role=role, group_ids=groups, by=None, **values)
            self._keys[user_id] = await create_api_key(self.database, user.id, name="test")
        else:
            self._keys[user_id] = new_api_key()
            await self._insert(_user(user_id, role, groups, **values), _api_key(self._keys[user_id], user_id))
        return user_id

    async def _may_refer(self) -> bool:
        """Return whether models exist: they may refer to whoever is added, so that storing a record is not enough."""
        return bool(await self.database.count(ModelRecord, {}))

    async def _insert(self, *records: Document) -> None:
        # Takes a twentieth of the time of the service, which also locks, and looks for references and refreshes them.
        for record in records:
            assert await self.database.insert(record), record

    async def group(self, group_id: str, parent: str | None = None) -> str:
        """Add a group; return its id."""
        if await self._may_refer():
            await add_group(self.database, name=f"Group {group_id}", group_id=group_id, parent_id=parent, by=None)
        else:
            times = {"created_at": now(), "updated_at": now()}
            await self._insert(Group(id=group_id, name=f"Group {group_id}", parent_id=parent, **times))
        return group_id

    async def key(self, user_id: str, **options: Any) -> str:
        """Return a key of an existing user; with options, a new one."""
        if options or user_id not in self._keys:
            user = await find_user(self.database, user_id)
            key = await create_api_key(self.database, user.id, **{"name": "test", "scope": Scope.WRITE, **options})
            if options:
                return key
            self._keys[user_id] = key
        return self._keys[user_id]

    def forget_key(self, user_id: str) -> None:
        """Have the next request of a user use a new key, after their key was revoked."""
        del self._keys[user_id]

    async def wait_for_last_use(self, user_id: str) -> None:
        """Wait until the last use of a user's keys is stored, which happens in the background of a request."""
        for _ in range(10_000):
            if not await self.database.count(ApiKey, {"user_id": user_id, "last_used_at": None}):
                return
            await asyncio.sleep(0.005)
        raise AssertionError

    async def load(self, bundle: Mapping[str, Any], tmp_path: Path, **options: Any) -> Report:
        """Import a bundle through a file, as the command line does."""
        path = tmp_path / "bundle.json"
        path.write_text(json.dumps(bundle), encoding="utf-8")
        return await self.load_file(path, **options)

    async def load_file(self, path: Path, **options: Any) -> Report:
        """Import a file in the bundle format."""
        with open_source(str(path)) as source:
            report = await run_import(self.database, lambda: read_bundle(source), ImportOptions(**options))
        self._reports.append(report)
        return report

    async def get(self, path: str, as_user: str | None = None, **parameters: Any) -> httpx.Response:
        """Send a GET request, with a user's key."""
        headers = {"Authorization": f"Bearer {await self.key(as_user)}"} if as_user else {}
        return await self.client.get(path, params=parameters or None, headers=headers)

    async def post(
        self,
        path: str,
        as_user: str,
        body: Any = None,
        *,
        if_match: str | None = None,
        once: str | None = None,
        **parameters: Any,
    ) -> httpx.Response:
        """Send a POST request with a JSON body, with a user's key; `once` is its idempotency key."""
        headers = {"Authorization": f"Bearer {await self.key(as_user)}"}
        headers |= {} if if_match is None else {"If-Match": if_match}
        headers |= {} if once is None else {"Idempotency-Key": once}
        return await self.client.post(path, json=body, params=parameters, headers=headers)

    async def page(self, as_user: str, **parameters: Any) -> dict[str, Any]:
        """Return a page of the list as a user."""
        answer = await self.get(LIST, as_user, **parameters)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    async def ids(self, as_user: str, **parameters: Any) -> list[str]:
        """Return the ids on a page of the list as a user, in order."""
        return [item["id"] for item in (await self.page(as_user, **parameters))["items"]]


def _user(user_id: str, role: Role, groups: Sequence[str], **fields: Any) -> User:
    fields = {"username": None, **fields}
    keys = user_derived_keys(**{name: fields[name] for name in ("email", "name", "username")})
    times = {"created_at": now(), "updated_at": now()}
    return User(id=user_id, role=role, is_active=True, group_ids=[*groups], keys=keys, **fields, **times)


def _api_key(key: str, user_id: str) -> ApiKey:
    return ApiKey(
        id=api_key_id(key),
        user_id=user_id,
        name="test",
        scope=Scope.WRITE,
        sha256=api_key_hash(key),
        created_at=now(),
        expires_at=None,
        last_used_at=None,
    )


def headers_to_compare(answer: httpx.Response) -> dict[str, str]:
    """Return the headers of a response without the request id, which differs each time."""
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}


def model(model_id: str, owner: str | None, **fields: Any) -> dict[str, Any]:
    """Return a model for a bundle, with defaults for the fields that are not given."""
    defaults = {"name": f"Name of {model_id}", "created_at": 1_700_000_000, "updated_at": 1_700_000_000}
    return {"id": model_id, "user_id": owner, **defaults, **fields}


def grant(principal: str, permission: str = "read") -> dict[str, str]:
    """Return a grant to a principal string such as `user:u1`, `group:g1` or `user:*`."""
    kind, _, principal_id = principal.partition(":")
    return {"principal_type": kind, "principal_id": principal_id, "permission": permission}
