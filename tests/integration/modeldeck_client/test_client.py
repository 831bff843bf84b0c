"""The Python client against the running service."""

from pathlib import Path

import httpx
import pytest

from modeldeck_client import AsyncModeldeck, NotFound, Problem
from tests.support.directory import Directory, model


async def test_it_reads(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.load({"models": [model(f"m{number:03}", "ann") for number in range(120)]}, tmp_path)
    transport = httpx.ASGITransport(app=directory.app)
    async with (
        httpx.AsyncClient(transport=transport) as http,
        AsyncModeldeck("http://test", await directory.key("ann"), http=http) as client,
    ):
        assert [one["id"] async for one in client.models(order_by="name", direction="asc")] == [
            f"m{number:03}" for number in range(120)
        ]
        page = await client.page(id=["m001", "m002"], fields=["name"])
        assert page["total"] == 2
        assert (await client.get("m001"))["version"] == 1
        assert await client.get("m001", unless_version=1) is None
        assert (await client.explain("m001", "ann"))["can_write"]
        assert (await client.history("m001"))["total"] == 1
        with pytest.raises(NotFound):
            await client.get("missing")
        with pytest.raises(Problem) as refused:
            await client.page(order_by="relevance")
        assert refused.value.errors[0]["loc"] == ["query", "order_by"]
