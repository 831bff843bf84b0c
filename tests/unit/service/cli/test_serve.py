"""How the web server is configured."""

from types import SimpleNamespace

import pytest
import uvicorn

from service.cli import serve
from service.cli.http_protocol import Protocol
from service.settings import Settings


def test_idle_connections_outlive_those_of_load_balancers(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[uvicorn.Config] = []

    def server(config: uvicorn.Config, _: str) -> SimpleNamespace:
        used.append(config)
        return SimpleNamespace(run=lambda: None)

    monkeypatch.setattr(serve, "Announcing", server)
    # Incremental: the loggers of other tests stay as they are.
    logged = {"version": 1, "incremental": True}
    serve._run(Settings(_env_file=None), serve._Options("127.0.0.1", 8000, 1, False), "", logged)
    assert used[0].timeout_keep_alive > 60
    assert used[0].http is Protocol
