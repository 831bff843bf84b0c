"""`modeldeck serve`: the database, the demo and the web server, from start to stop."""

import asyncio
import os
import socket
from contextlib import suppress
from dataclasses import dataclass

import uvicorn

from service.app import create_app
from service.demo import demo_key, load_demo, require_room
from service.embedded import EmbeddedMongo
from service.errors import ConfigurationError
from service.session import located, mongodb_uri, opened
from service.settings import PREFIX, Settings

GRACE_SECONDS = 25


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where and how to serve; `workers` are processes."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    demo: bool = False


class _Announcing(uvicorn.Server):
    """A server that says when it can be asked."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._announcement, flush=True)


def serve(settings: Settings, options: ServeOptions) -> None:
    """Serve until SIGINT or SIGTERM, then stop all that was started for it."""
    _require_free(options)
    with located(settings) as whole:
        try:
            announcement = asyncio.run(_prepare(whole, options, embedded=settings.mongodb_uri is None))
            # The web server stops in order and then repeats the signal that made it stop.
            with suppress(KeyboardInterrupt):
                _run(whole, options, announcement)
        finally:
            if settings.mongodb_uri is None:
                EmbeddedMongo(settings.data_dir).stop_keeper()


def _require_free(options: ServeOptions) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(f"Can't listen on {options.host}:{options.port}: {error}") from None


async def _prepare(settings: Settings, options: ServeOptions, *, embedded: bool) -> str:
    host = f"[{options.host}]" if ":" in options.host else options.host
    address = f"http://{host}:{options.port}"
    async with opened(settings) as database:
        if not options.demo:
            return f"Modeldeck is at {address}; its API is described at {address}/docs"
        if not embedded:
            await require_room(database)
        added = await load_demo(database)
        key = await demo_key(database, settings.data_dir / "demo-key")
    return "\n".join(
        [
            f"Modeldeck is at {address}, with a demo catalogue ({added:,} records added).",
            f"Key:  {key}",
            f"Try:  curl -s -H 'Authorization: Bearer {key}' '{address}/api/models/list?query=gpt&page_size=3'",
            f"API:  {address}/docs",
            "Ctrl-C stops it all; the data stays.",
        ]
    )


def _run(settings: Settings, options: ServeOptions, announcement: str) -> None:
    common = {
        "host": options.host,
        "port": options.port,
        "log_level": "warning",
        "timeout_graceful_shutdown": GRACE_SECONDS,
        "server_header": False,
        "access_log": False,
    }
    if options.workers == 1:
        config = uvicorn.Config(create_app(settings), **common)  # type: ignore[arg-type]
        _Announcing(config, announcement).run()
        return
    # Workers are processes of their own, which learn of an embedded MongoDB by its URI.
    os.environ[f"{PREFIX}MONGODB_URI"] = mongodb_uri(settings)
    print(announcement, flush=True)
    uvicorn.run("service.app:create_app", factory=True, workers=options.workers, **common)  # type: ignore[arg-type]
