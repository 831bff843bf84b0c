"""The composition root: creates every part of the service and connects them."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from service.auth.authentication import Authenticator
from service.auth.jwt import JwtVerifier
from service.auth.login_throttle import LoginThrottle
from service.auth.write_quota import WriteQuota
from service.background import SingleFlight
from service.bulk import routes as bulk_routes
from service.changes import routes as changes_routes
from service.changes.following import Changes
from service.compatibility import change_routes, list_routes
from service.compatibility import history_routes as compatible_history_routes
from service.compatibility import image_routes as compatible_image_routes
from service.database.client import Database
from service.database.listeners import CommandObserver, DatabaseObserver, event_listeners
from service.errors import ConfigurationError
from service.exporting import routes as exporting_routes
from service.http.compatibility import COMPATIBLE
from service.http.dependencies import Context
from service.http.openapi import ABOUT, DocumentedApp
from service.http.problem_responses import install_error_handlers
from service.http.query_params import STRICT
from service.importing import routes as importing_routes
from service.listing import openai_routes
from service.listing import routes as listing_routes
from service.listing.rendered_pages import RenderedPages
from service.listing.search_statistics import SearchStatisticsMonitor
from service.middleware.access_log import AccessLog, RouteTemplates
from service.middleware.compression import Compression
from service.middleware.concurrency_limit import ConcurrencyLimit
from service.middleware.cors import Cors
from service.middleware.head import HeadRequests
from service.middleware.openai_errors import OpenAIErrors
from service.middleware.root_path import RootPath
from service.middleware.security_headers import SecurityHeaders
from service.middleware.timeout import RequestTimeout
from service.models import image_routes
from service.models import routes as model_routes
from service.models.access import routes as access_routes
from service.models.history import routes as history_routes
from service.models.history.retention import HistoryUpkeep
from service.observability import routes as observability_routes
from service.observability.metrics import Metrics
from service.observability.probes import call_on_stop, drain_on_sigterm, readiness_problem
from service.observability.tracing import SILENT, traces
from service.people import group_routes, me_routes, user_routes
from service.settings import Settings, load_settings

API = "/api"
# A page of the list makes some thousands.
OBJECTS_BEFORE_COLLECTION = 50_000
COMPATIBILITY = "/api/v1"


def connect(settings: Settings, watch: DatabaseObserver, traced: Sequence[CommandObserver]) -> Database:
    """Return the database of the settings, which hold the URI of the embedded MongoDB when that is used."""
    if settings.mongodb_uri is None:
        raise ConfigurationError("MODELDECK_MONGODB_URI is not set; `modeldeck serve` starts an embedded MongoDB.")
    return Database.connect(
        settings.mongodb_uri.get_secret_value(),
        settings.database,
        settings.request_timeout,
        event_listeners=event_listeners(watch, traced),
    )


def middleware(settings: Settings, metrics: Metrics) -> Callable[[ASGIApp, Sequence[BaseRoute]], ASGIApp]:
    """Return a function that wraps an application in the middleware; a request passes AccessLog first."""

    def behind(app: ASGIApp, routes: Sequence[BaseRoute]) -> ASGIApp:
        compressed = Compression(RootPath(app, settings.root_path) if settings.root_path else app)
        timed = RequestTimeout(compressed, settings.request_timeout, settings.export_timeout)
        bounded: ASGIApp = ConcurrencyLimit(timed, settings.max_in_flight, metrics.shed)
        shared = Cors(bounded, settings.cors_origins, routes) if settings.cors_origins else bounded
        shown = html_problems(shared, settings.root_path) if settings.page else shared
        return AccessLog(HeadRequests(SecurityHeaders(OpenAIErrors(shown))), RouteTemplates(routes), [metrics])

    return behind


def html_problems(app: ASGIApp, root_path: str | None) -> ASGIApp:
    """Return an application that shows errors to browsers as pages."""
    from service.web.html_problems import HtmlProblems  # noqa: PLC0415

    return HtmlProblems(app, root_path)


def page_router() -> APIRouter:
    """Return the routes of the page. A service without the page does not import it, nor what it is made with."""
    from service.web.routes import router  # noqa: PLC0415

    return router


def create_app(
    settings: Settings | None = None, open_database: Callable[[Settings], Database] | None = None
) -> FastAPI:
    """Return the application. A database from `open_database` is not closed at the end."""
    settings = settings or load_settings()
    metrics = Metrics()
    traced = traces(settings)
    tokens = JwtVerifier(settings) if settings.jwt_secret or settings.jwt_jwks_file else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if open_database is None:
            database = connect(settings, metrics, [traced.command] if traced else [])
        else:
            database = open_database(settings)
        await database.open()
        throttle = LoginThrottle(settings.auth_failures_per_minute, metrics)
        quota = WriteQuota(settings.writes_per_hour)
        context = Context(settings, database, Authenticator(database, tokens), throttle, quota)
        search_statistics = SearchStatisticsMonitor(database)
        context.background.start(search_statistics.run())
        context.background.start(HistoryUpkeep(database, settings.history_days, metrics).run())
        app.state.context = context
        app.state.changes = changes = Changes.of(context)
        app.state.search_statistics = search_statistics
        app.state.rendered_pages = RenderedPages()
        app.state.metrics = metrics
        # Anyone may ask, so concurrent requests share one check of the database.
        app.state.readiness = SingleFlight(partial(readiness_problem, database))
        if open_database is None:
            drain_on_sigterm(settings.drain_seconds)
            # Those who follow changes would be waited for in vain; they go on elsewhere.
            call_on_stop(changes.feed.close)
            # Objects that live as long as the process need not be scanned by the garbage collector during requests, nor
            # those of each request several times: nearly all of them are freed without it.
            gc.collect()
            gc.freeze()
            gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
        try:
            yield
        finally:
            changes.feed.close()
            await context.background.stop()
            if open_database is None:
                database.close()
            if traced:
                await asyncio.to_thread(traced.close)

    documented = settings.mongodb_uri is None if settings.docs is None else settings.docs
    app = DocumentedApp(
        middleware(settings, metrics),
        documented=documented,
        **ABOUT,
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry=traced.telemetry if traced else SILENT,
    )
    install_error_handlers(app)
    _include_routes(app, with_page=settings.page)
    return app


def _include_routes(app: FastAPI, *, with_page: bool) -> None:
    # A request is compared with each in turn, so what is asked most comes first.
    app.include_router(observability_routes.router)
    app.include_router(observability_routes.router, prefix=API, include_in_schema=False)
    app.include_router(observability_routes.metrics_router)
    app.include_router(me_routes.router, prefix=API, dependencies=STRICT)
    models = (
        listing_routes,
        changes_routes,
        exporting_routes,
        model_routes,
        image_routes,
        history_routes,
        access_routes,
        bulk_routes,
        importing_routes,
    )
    for strict in models:
        app.include_router(strict.router, prefix=API, dependencies=STRICT)
    # Some of the first four stand in the place of others.
    for compatible in (list_routes, compatible_image_routes, compatible_history_routes, change_routes, *models):
        app.include_router(compatible.router, prefix=COMPATIBILITY, dependencies=COMPATIBLE, include_in_schema=False)
    for people in (user_routes, group_routes):
        app.include_router(people.router, prefix=API, dependencies=STRICT)
    # Tools send parameters of their own, which have no effect.
    app.include_router(openai_routes.router, dependencies=COMPATIBLE)
    app.include_router(image_routes.static_router)
    if with_page:
        app.include_router(page_router())
