"""The composition root: every part of the service is made and wired here."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from service import health, static_files
from service.bulk.endpoint import bulk_router
from service.bulk.sets_endpoint import sets_router
from service.context import Context
from service.database import CommandWatch, Database, DatabaseWatch, listeners
from service.drain import drain_on_sigterm
from service.errors import ConfigurationError
from service.gate.capacity import Capacity
from service.gate.guesses import Guesses
from service.gate.headers import SecurityHeaders
from service.gate.journal import Journal
from service.gate.patience import Patience
from service.gate.routes import Templates
from service.identity import Identity
from service.listing.endpoint import list_router
from service.listing.inventory_endpoint import inventory_router
from service.listing.selectivity import SelectivityMonitor
from service.metrics import endpoint as metrics_endpoint
from service.metrics.recorded import Metrics
from service.models.endpoint import models_router
from service.models.explain_endpoint import explain_router
from service.models.history_endpoint import history_router
from service.models.image_endpoint import image_router
from service.openapi import ABOUT, DocumentedApp
from service.people import groups_endpoint, self_endpoint, user_keys_endpoint, users_endpoint
from service.problems import install_error_handlers
from service.readiness import hindrance
from service.settings import Settings, load_settings
from service.shared import Shared
from service.tokens import TokenVerifier
from service.tracing.choice import SILENT, traces

API = "/api"
COMPATIBILITY = "/api/v1"


def connect(settings: Settings, watch: DatabaseWatch, traced: Sequence[CommandWatch]) -> Database:
    """Return the database that the settings name; the embedded one has put its URI there by now."""
    if settings.mongodb_uri is None:
        raise ConfigurationError("MODELDECK_MONGODB_URI is not set; `modeldeck serve` starts an embedded MongoDB.")
    return Database.connect(
        settings.mongodb_uri.get_secret_value(),
        settings.database,
        settings.request_timeout,
        event_listeners=listeners(watch, traced),
    )


def gates(settings: Settings, metrics: Metrics) -> Callable[[ASGIApp, Sequence[BaseRoute]], ASGIApp]:
    """Return what puts an application behind all that a request passes before it: the last one is met first."""

    def behind(app: ASGIApp, routes: Sequence[BaseRoute]) -> ASGIApp:
        bounded = Capacity(Patience(app, settings.request_timeout), settings.max_in_flight, metrics.shed)
        return Journal(SecurityHeaders(bounded), Templates(routes), [metrics])

    return behind


def create_app(
    settings: Settings | None = None, open_database: Callable[[Settings], Database] | None = None
) -> FastAPI:
    """Return the service. A database that comes from `open_database` is left open for its owner."""
    settings = settings or load_settings()
    metrics = Metrics()
    traced = traces(settings)
    tokens = TokenVerifier(settings) if settings.jwt_secret or settings.jwt_jwks_file else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if open_database is None:
            database = connect(settings, metrics, [traced.command] if traced else [])
        else:
            database = open_database(settings)
        await database.open()
        context = Context(
            settings,
            database,
            Identity(database, tokens),
            SelectivityMonitor(database),
            metrics,
            Guesses(settings.auth_failures_per_minute, metrics),
            Shared(partial(hindrance, database)),
        )
        context.start(context.selectivity.run())
        app.state.context = context
        if open_database is None:
            drain_on_sigterm(settings.drain_seconds)
            # The garbage collector need not look through what lives as long as the process, in the midst of requests.
            gc.collect()
            gc.freeze()
        try:
            yield
        finally:
            await context.stop()
            if open_database is None:
                database.close()
            if traced:
                await asyncio.to_thread(traced.close)

    documented = settings.mongodb_uri is None if settings.docs is None else settings.docs
    app = DocumentedApp(
        gates(settings, metrics),
        documented=documented,
        **ABOUT,
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry=traced.telemetry if traced else SILENT,
    )
    install_error_handlers(app)
    for asked_by_machines in (health.router, metrics_endpoint.router):
        app.include_router(asked_by_machines)
        app.include_router(asked_by_machines, prefix=API, include_in_schema=False)
    app.include_router(static_files.router)
    for people in (self_endpoint, users_endpoint, user_keys_endpoint, groups_endpoint):
        app.include_router(people.router, prefix=API)
    for router in (
        list_router,
        inventory_router,
        models_router,
        image_router,
        history_router,
        explain_router,
        bulk_router,
        sets_router,
    ):
        app.include_router(router(lenient=False), prefix=API)
        app.include_router(router(lenient=True), prefix=COMPATIBILITY, include_in_schema=False)
    return app
