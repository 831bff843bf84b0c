"""`modeldeck mcp`: a server of the Model Context Protocol, with which assistants read the directory."""

import asyncio
import logging
from contextlib import suppress
from importlib import import_module
from typing import Annotated

import typer

from service.errors import ConfigurationError
from service.observability.logs import configuration, configure
from service.settings import Settings, load_settings

PORT = 8001
LEAVING_SECONDS = 5.0
# Of clients that send slowly, each may have a body in memory.
MAX_CONNECTIONS = 512
NEEDS_EXTRA = "modeldeck mcp needs the extra mcp: pip install 'modeldeck[mcp]'"
_EXTRA = ("mcp", "modeldeck_client")


def mcp(
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="The service to read from. Default: MODELDECK_URL.")
    ] = None,
    http: Annotated[
        bool,
        typer.Option(
            "--http", help="Serve by streamable HTTP at /mcp, to many people: each request carries its own key."
        ),
    ] = False,
    host: Annotated[str | None, typer.Option(help="With --http: address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help=f"With --http: port to listen on. Default: {PORT}.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="With --http: a name by which clients reach it; repeatable."),
    ] = None,
) -> None:
    """Let assistants read the directory by the Model Context Protocol, on standard input and output or by HTTP.

    The key is read from MODELDECK_KEY. Nothing can be changed with it here, whatever its scope.
    """
    if not http and (host, port, allowed_host) != (None, None, None):
        raise typer.BadParameter("--host, --port and --allowed-host need --http")
    settings = load_settings()
    _require_extra()
    service_url = settings.url if url is None else url
    key = settings.key.get_secret_value() if settings.key else None
    if http:
        _serve_http(settings, service_url, key, host or "127.0.0.1", port or PORT, allowed_host or [])
        return
    if not key:
        raise ConfigurationError("MODELDECK_KEY is not set; it holds the API key to read with.")
    _serve_stdio(settings, service_url, key)


def _require_extra() -> None:
    try:
        for name in _EXTRA:
            import_module(name)
    except ModuleNotFoundError:
        raise ConfigurationError(NEEDS_EXTRA) from None
    # What its warnings quote was sent by clients.
    logging.getLogger("mcp").setLevel(logging.ERROR)


def _serve_stdio(settings: Settings, url: str, key: str) -> None:
    from service.mcp.stdio import require_service, serve_stdio  # noqa: PLC0415

    configure(configuration(settings))
    asyncio.run(require_service(url, key))
    asyncio.run(serve_stdio(url, key))


def _serve_http(settings: Settings, url: str, key: str | None, host: str, port: int, names: list[str]) -> None:
    import uvicorn  # noqa: PLC0415

    from service.cli.listening import Announcing, require_free, server_options, web_address  # noqa: PLC0415
    from service.mcp.http_app import PATH, HttpOptions, allowed_hosts, create_app, is_loopback  # noqa: PLC0415
    from service.mcp.stdio import require_service  # noqa: PLC0415

    if key and (names or not is_loopback(host)):
        raise ConfigurationError(
            f"MODELDECK_KEY is set, and at {names[0] if names else host} others could read with it. Unset it, so that "
            "each request carries a key of its own, or listen on 127.0.0.1 without --allowed-host."
        )
    app = create_app(HttpOptions(url, allowed_hosts(host, names), key or None))
    require_free(host, port)
    logged = configuration(settings)
    configure(logged)
    if key:
        asyncio.run(require_service(url, key))
    options = server_options(host, port, logged, LEAVING_SECONDS)
    config = uvicorn.Config(app, limit_concurrency=MAX_CONNECTIONS, **options)
    # The web server stops in order and then raises the signal that stopped it again.
    with suppress(KeyboardInterrupt):
        Announcing(config, f"The MCP server is at {web_address(host, port)}{PATH}").run()
