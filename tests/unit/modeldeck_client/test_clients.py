"""The two Python clients: what they have in common, and what they are given."""

import inspect
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from modeldeck_client import AsyncModeldeck, Modeldeck

ASYNCHRONOUS = {"AsyncGenerator": "Generator", "AsyncModeldeck": "Modeldeck", "AsyncClient": "Client"}
BOTH = pytest.mark.parametrize("kind", [Modeldeck, AsyncModeldeck])


def methods(kind: type[Any]) -> dict[str, tuple[str, str | None]]:
    """Return the signature and the docstring of each public method, as a synchronous client has them."""
    return {
        name.removeprefix("a") if name == "aclose" else name: (_signature(method), inspect.getdoc(method))
        for name, method in inspect.getmembers(kind, callable)
        if not name.startswith("_") or name == "__init__"
    }


def _signature(method: Callable[..., Any]) -> str:
    written = str(inspect.signature(method))
    for asynchronous, synchronous in ASYNCHRONOUS.items():
        written = written.replace(asynchronous, synchronous)
    # A generator returns something, an asynchronous one does not.
    return written.replace(", None, None]", ", None]")


def test_both_have_the_same_methods() -> None:
    assert methods(AsyncModeldeck) == methods(Modeldeck)
    assert {"models", "page", "get", "change", "follow", "close"} <= methods(Modeldeck).keys()


@BOTH
@pytest.mark.parametrize("url", ["x.org", "ftp://x.org", "http://", "https://x.org/?a=b", "http://x:y", "http://a:b@x"])
def test_an_address_that_is_none_is_refused(kind: Any, url: str) -> None:
    with pytest.raises(ValueError, match="url: "):
        kind(url, "mdk_key")


@BOTH
@pytest.mark.parametrize("key", ["", " ", "mdk_a\nb", "mdk_é", "Bearer mdk_a"])
def test_a_key_that_is_none_is_refused_and_not_shown(kind: Any, key: str) -> None:
    with pytest.raises(ValueError, match="key: must be an API key") as refused:
        kind("http://x.org", key)
    assert not key.strip() or key not in str(refused.value)


@BOTH
def test_the_environment_has_both(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDECK_KEY", "mdk_secret\n")
    with pytest.raises(ValueError, match="not set: MODELDECK_URL"):
        kind.from_environment()
    monkeypatch.setenv("MODELDECK_URL", "https://x.org/modeldeck/")
    assert repr(kind.from_environment(timeout=5)) == f"{kind.__name__}('https://x.org/modeldeck')"


async def test_a_client_that_was_given_stays_open() -> None:
    with httpx.Client() as http:
        with Modeldeck("http://x.org", "mdk_key", http=http):
            pass
        assert not http.is_closed
    async with httpx.AsyncClient() as asynchronous:
        async with AsyncModeldeck("http://x.org", "mdk_key", http=asynchronous):
            pass
        assert not asynchronous.is_closed
