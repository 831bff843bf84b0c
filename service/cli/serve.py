"""`modeldeck serve`: the database, the demo and the web server, from start to stop."""

import asyncio
import os
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from service.app import create_app
from service.auth.authentication import Authenticator
from service.cli.listening import Announcing, require_free, server_options, web_address
from service.cli.open_database import located_mongo, mongodb_uri, open_database
from service.database.client import Database
from service.demo.catalogue import demo_key, load_demo, require_room
from service.embedded_mongo.restarts import restarted
from service.embedded_mongo.server import EmbeddedMongo
from service.observability.logs import configuration, configure, log_uncaught
from service.observability.metrics import SHARED_FOLDER
from service.observability.tracing import require_libraries
from service.settings import PREFIX, Settings, load_settings

# From SIGTERM to the end, including the seconds in which it still serves but is not ready any more.
LEAVING_SECONDS = 24
# A worker that does not answer the parent process for so long, also while it starts, is replaced.
WORKER_SECONDS = 30


@dataclass(frozen=True, slots=True)
class _Options:
    """Where and how to serve; `workers` are processes."""

    host: str
    port: int
    workers: int
    demo: bool


class _Workers(Multiprocess):
    """Several processes that serve.

    The parent closes its listening sockets too when it stops, so that new connections are refused at once.
    """

    def terminate_all(self) -> None:
        for listening in self.sockets:
            listening.close()
        super().terminate_all()


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    demo: Annotated[bool, typer.Option("--demo", help="Load a demo catalogue and print a key for it.")] = False,
) -> None:
    """Serve the HTTP API until Ctrl-C."""
    settings, options = load_settings(), _Options(host, port, workers, demo)
    require_free(options.host, options.port)
    require_libraries(settings)
    logged = configuration(settings)
    configure(logged)
    embedded = settings.mongodb_uri is None
    with located_mongo(settings) as located_settings:
        whole = located_settings.model_copy(update={"docs": embedded if settings.docs is None else settings.docs})
        try:
            announcement = asyncio.run(_prepare(whole, options, embedded=embedded))
            # The web server stops in order and then raises the signal that stopped it again.
            with restarted(settings.data_dir) if embedded else nullcontext(), suppress(KeyboardInterrupt):
                _run(whole, options, announcement, logged)
        finally:
            if embedded:
                EmbeddedMongo(settings.data_dir).stop_keep_alive()


async def _prepare(settings: Settings, options: _Options, *, embedded: bool) -> str:
    address = web_address(options.host, options.port)
    async with open_database(settings) as database:
        if not options.demo:
            return f"Modeldeck is at {address}" + (f"; its API is described at {address}/docs" if settings.docs else "")
        if not embedded:
            await require_room(database)
        added = await load_demo(database)
        key = await demo_key(database, settings.data_dir / "demo-key")
        page = await _page_link(database, address, key) if settings.page else []
    return "\n".join(
        [
            f"Modeldeck is at {address}, with a demo catalogue ({added:,} records added).",
            *page,
            f"Key:  {key}",
            f"Try:  curl -s -H 'Authorization: Bearer {key}' '{address}/api/models/list?query=gpt&page_size=3'",
            *([f"API:  {address}/docs"] if settings.docs else []),
            "Ctrl-C stops it all; the data stays.",
        ]
    )


async def _page_link(database: Database, address: str, key: str) -> list[str]:
    """Return the line with a link to the page that signs in once; after it only the key does."""
    # A service without the page does not load any of it.
    from service.web.sessions import new_link  # noqa: PLC0415

    caller = await Authenticator(database).resolve(f"Bearer {key}")
    return [f"Page: {address}/#{await new_link(database, caller)}  (signs in once, within 15 minutes)"]


def _run(settings: Settings, options: _Options, announcement: str, logged: dict[str, Any]) -> None:
    common = server_options(options.host, options.port, logged, LEAVING_SECONDS - settings.drain_seconds)
    if options.workers == 1:
        Announcing(uvicorn.Config(create_app(settings), **common), announcement).run()
        return
    # Workers are separate processes; they get the URI of an embedded MongoDB from the environment.
    os.environ[f"{PREFIX}MONGODB_URI"] = mongodb_uri(settings)
    os.environ[f"{PREFIX}DOCS"] = str(settings.docs)
    print(announcement, flush=True)
    with TemporaryDirectory(prefix="modeldeck-metrics-") as folder:
        # The worker that is asked for metrics answers with the sum over all workers.
        os.environ[SHARED_FOLDER] = folder
        config = uvicorn.Config(
            "service.cli.serve:create_worker",
            factory=True,
            workers=options.workers,
            timeout_worker_healthcheck=WORKER_SECONDS,
            **common,
        )
        _Workers(config, sockets=[config.bind_socket()]).run()


def create_worker() -> FastAPI:
    """Return the service for one of several workers; the web server has configured its logging already."""
    log_uncaught()
    return create_app()
