"""`GET /api/models/model/profile/image`, for browsers and REST clients."""

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from pymongo.database import Database as SyncDatabase

from documents.image import ALLOWED_IMAGES, MAX_IMAGE_BYTES
from documents.user import Role
from service.database.client import Database
from service.models.item import META_DEFAULTS
from service.models.operations import HIDDEN
from service.settings import Settings
from tests.conftest import Commands
from tests.support.directory import Directory, grant, headers_to_compare, model
from tests.support.openapi_document import DOCUMENT

IMAGE = "/api/models/model/profile/image"
DEFAULT = META_DEFAULTS["profile_image_url"]

PNG = b"\x89PNG\r\n\x1a\nwhatever follows"
ETAG = f'"{hashlib.sha256(PNG).hexdigest()}"'

Raw = SyncDatabase[dict[str, Any]]


def inline(image: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


async def load(directory: Directory, tmp_path: Path, url: Any, **fields: Any) -> None:
    await directory.user("ann")
    record = model("m", "ann", meta={"profile_image_url": url}, **fields)
    assert (await directory.load({"models": [record]}, tmp_path)).clean


async def stored_past_the_service(directory: Directory, raw: Raw, tmp_path: Path, url: Any) -> Response:
    await load(directory, tmp_path, None)
    raw.models.update_one({"_id": "m"}, {"$set": {"meta.profile_image_url": url}})
    return await directory.get(IMAGE, "ann", id="m")


@pytest.fixture
async def redirecting(mongod: Database, settings: Settings) -> AsyncIterator[Directory]:
    """The service with MODELDECK_IMAGE_REDIRECTS."""
    async with Directory.on(mongod, settings.model_copy(update={"image_redirects": True})) as directory:
        yield directory


async def test_an_inline_image_is_served_and_can_do_nothing(directory: Directory, tmp_path: Path) -> None:
    await load(directory, tmp_path, inline(PNG))
    answer = await directory.get(IMAGE, "ann", id="m")
    assert (answer.status_code, answer.content) == (200, PNG)
    assert headers_to_compare(answer) == {
        "content-type": "image/png",
        "content-length": str(len(PNG)),
        "content-disposition": "inline",
        "content-security-policy": "default-src 'none'; sandbox",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cache-control": "private, no-cache",
        "vary": "Authorization",
        "etag": ETAG,
    }


@pytest.mark.parametrize(
    ("kind", "image"),
    [("jpeg", b"\xff\xd8\xff\xe0"), ("gif", b"GIF89a<script>"), ("webp", b"RIFF....WEBP"), ("png", PNG)],
)
@pytest.mark.parametrize("path", [IMAGE, "/api/v1/models/model/profile/image"])
async def test_an_image_has_the_type_of_its_kind(
    directory: Directory, tmp_path: Path, path: str, kind: str, image: bytes
) -> None:
    await load(directory, tmp_path, inline(image, kind))
    answer = await directory.get(path, "ann", id="m")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, f"image/{kind}", image)


async def test_the_largest_image_is_served(directory: Directory, tmp_path: Path) -> None:
    image = PNG + b"\0" * (MAX_IMAGE_BYTES - len(PNG))
    await load(directory, tmp_path, inline(image))
    assert (await directory.get(IMAGE, "ann", id="m")).content == image


async def _revalidated(directory: Directory, *tags: str) -> Response:
    headers = [("Authorization", f"Bearer {await directory.key('ann')}"), *(("If-None-Match", tag) for tag in tags)]
    return await directory.client.get(IMAGE, params={"id": "m"}, headers=headers)


@pytest.mark.parametrize(
    "tags",
    [[ETAG], [f"W/{ETAG}"], ["*"], [" * "], [f'"other", {ETAG}'], [f'W/"a,b",W/{ETAG} '], ['"other"', ETAG]],
    ids=str,
)
async def test_an_image_that_the_client_has_is_not_sent_again(
    directory: Directory, tmp_path: Path, tags: list[str]
) -> None:
    await load(directory, tmp_path, inline(PNG))
    answer = await _revalidated(directory, *tags)
    assert (answer.status_code, answer.content) == (304, b"")
    sent = {name: answer.headers.get(name) for name in ("etag", "cache-control", "vary", "content-type")}
    assert sent == {"etag": ETAG, "cache-control": "private, no-cache", "vary": "Authorization", "content-type": None}


@pytest.mark.parametrize(
    "tag", ['"other"', "", '"', ",", ETAG.strip('"'), ETAG.upper(), f'"*", "x{ETAG[1:]}', '"' * 5000], ids=str
)
async def test_an_image_that_the_client_does_not_have_is_sent(directory: Directory, tmp_path: Path, tag: str) -> None:
    await load(directory, tmp_path, inline(PNG))
    answer = await _revalidated(directory, tag)
    assert (answer.status_code, answer.content) == (200, PNG)


async def test_those_who_may_read_a_model_may_see_its_image(directory: Directory, tmp_path: Path) -> None:
    await directory.user("bob")
    await directory.user("carl")
    await directory.user("root", role=Role.ADMIN)
    await load(directory, tmp_path, inline(PNG), access_grants=[grant("user:bob")])
    seen = {user: await directory.get(IMAGE, user, id="m") for user in ("ann", "bob", "root", "carl")}
    assert {user: answer.status_code for user, answer in seen.items()} == {
        "ann": 200,
        "bob": 200,
        "root": 200,
        "carl": 404,
    }
    assert (await directory.client.get(IMAGE, params={"id": "m"})).status_code == 401

    absent = await directory.get(IMAGE, "carl", id="absent")
    assert (seen["carl"].content, headers_to_compare(seen["carl"])) == (absent.content, headers_to_compare(absent))
    assert absent.json()["detail"] == HIDDEN


async def test_a_client_that_has_an_image_does_not_learn_that_it_is_still_there(
    directory: Directory, tmp_path: Path
) -> None:
    await directory.user("bob")
    await load(directory, tmp_path, inline(PNG))
    headers = {"Authorization": f"Bearer {await directory.key('bob')}", "If-None-Match": ETAG}
    assert (await directory.client.get(IMAGE, params={"id": "m"}, headers=headers)).status_code == 404


async def test_only_the_image_is_read(directory: Directory, raw: Raw, commands: Commands, tmp_path: Path) -> None:
    await load(directory, tmp_path, inline(PNG), params={"system": "secret"})
    await directory.key("ann")
    commands.clear()
    await directory.get(IMAGE, "ann", id="m")
    [(name, command)] = commands.on("models")
    assert name == "find"
    assert command["filter"]["_id"] == "m"
    assert command["filter"]["keys.readers"]
    assert dict(command["projection"]) == {"meta.profile_image_url": 1}


@pytest.mark.parametrize("meta", [{}, {"profile_image_url": None}, {"profile_image_url": ""}], ids=str)
async def test_a_model_without_an_image_has_the_default_one(
    directory: Directory, tmp_path: Path, meta: dict[str, Any]
) -> None:
    await directory.user("ann")
    await directory.load({"models": [model("m", "ann", meta=meta)]}, tmp_path)
    answer = await directory.get(IMAGE, "ann", id="m")
    assert (answer.status_code, answer.headers["location"], answer.content) == (307, DEFAULT, b"")
    followed = await directory.client.get(answer.headers["location"])
    assert (followed.status_code, followed.headers["content-type"]) == (200, "image/png")


@pytest.mark.parametrize(
    "change", [{"$unset": {"meta": 1}}, {"$set": {"meta": None}}, {"$set": {"meta": [{}]}}], ids=str
)
async def test_a_malformed_model_has_the_default_image(
    directory: Directory, raw: Raw, tmp_path: Path, change: dict[str, Any]
) -> None:
    await load(directory, tmp_path, inline(PNG))
    raw.models.update_one({"_id": "m"}, change)
    answer = await directory.get(IMAGE, "ann", id="m")
    assert (answer.status_code, answer.headers["location"]) == (307, DEFAULT)


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("/static/images/a.png", "/static/images/a.png"),
        ("/static/a.png?v=1&w=%20#top", "/static/a.png?v=1&w=%20#top"),
        ("/static/été/画像.png", "/static/%C3%A9t%C3%A9/%E7%94%BB%E5%83%8F.png"),
        ("/static/a;b='c'&d=\"<e>\".png", "/static/a;b='c'&d=%22%3Ce%3E%22.png"),
        (DEFAULT, DEFAULT),
    ],
)
async def test_a_static_image_is_where_the_service_is(
    directory: Directory, tmp_path: Path, url: str, location: str
) -> None:
    await load(directory, tmp_path, url)
    answer = await directory.get(IMAGE, "ann", id="m")
    assert (answer.status_code, answer.headers["location"], answer.content) == (307, location, b"")
    assert (answer.headers["cache-control"], answer.headers["vary"]) == ("private, no-cache", "Authorization")
    assert (await _revalidated(directory, "*")).status_code == 307


async def test_an_external_image_is_not_redirected_to_by_default(directory: Directory, tmp_path: Path) -> None:
    await load(directory, tmp_path, "https://images.example/a.png")
    answer = await directory.get(IMAGE, "ann", id="m")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "location" not in answer.headers
    assert "https://" in answer.json()["detail"]
    assert "images.example" not in answer.text


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://images.example/a.png?b=c%20d", "https://images.example/a.png?b=c%20d"),
        ("https://images.example:8443/é画.png", "https://images.example:8443/%C3%A9%E7%94%BB.png"),
    ],
)
async def test_an_external_image_is_redirected_to_if_configured(
    redirecting: Directory, tmp_path: Path, url: str, location: str
) -> None:
    await load(redirecting, tmp_path, url)
    answer = await redirecting.get(IMAGE, "ann", id="m")
    assert (answer.status_code, answer.headers["location"], answer.content) == (307, location, b"")
    assert (answer.headers["cache-control"], answer.headers["vary"]) == ("private, no-cache", "Authorization")


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "http://images.example/a.png",
        "//evil.example/a.png",
        "https://user@evil.example/a.png",
        "https://bücher.example/a.png",
        "https://evil.example\\@good.example/",
        "/static/../secret",
        "/static/%2e%2e/secret",
        "/static/a.png\r\nSet-Cookie: a=b",
        "/etc/passwd",
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:text/html;base64,PHN2Zy8+",
        inline(b"<svg onload='alert(1)'/>"),
        inline(PNG + b"\0" * MAX_IMAGE_BYTES),
        " ",
        5,
        0,
        False,
        b"\x89PNG",
        {"$ref": "a", "$id": 1},
        [inline(PNG)],
    ],
    ids=lambda url: repr(url)[:40],
)
async def test_an_unsafe_stored_image_is_never_served_or_redirected_to(
    redirecting: Directory, raw: Raw, tmp_path: Path, url: Any
) -> None:
    answer = await stored_past_the_service(redirecting, raw, tmp_path, url)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "location" not in answer.headers
    assert answer.json()["detail"].startswith("The image of this model can't be shown: profile_image_url ")
    assert "evil" not in answer.text and "alert" not in answer.text


async def test_the_reason_names_what_is_allowed(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    answer = await stored_past_the_service(directory, raw, tmp_path, "javascript:alert(1)")
    assert all(allowed in answer.json()["detail"] for allowed in ALLOWED_IMAGES)


def test_every_answer_is_documented() -> None:
    route = DOCUMENT["paths"][IMAGE]["get"]
    assert route["tags"] == ["models"]
    assert {(parameter["in"], parameter["name"]) for parameter in route["parameters"]} == {
        ("query", "id"),
        ("header", "If-None-Match"),
    }
    assert route["responses"].keys() == {"200", "304", "307", "401", "404", "422", "429", "503", "504"}
    kinds = {f"image/{kind}" for kind in ("png", "jpeg", "gif", "webp")}
    assert route["responses"]["200"]["content"].keys() == kinds
    assert {"ETag", "Cache-Control"} <= route["responses"]["200"]["headers"].keys()
    assert route["responses"]["307"]["headers"].keys() >= {"Location"}
    assert all("content" not in route["responses"][status] for status in ("304", "307"))
    assert not any(path.startswith("/static") for path in DOCUMENT["paths"])


async def test_the_default_image_is_there_for_everybody(directory: Directory) -> None:
    answer = await directory.client.get(DEFAULT)
    etag = f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert (answer.status_code, answer.content[:8]) == (200, PNG[:8])
    assert (
        answer.headers.items()
        >= {
            "content-type": "image/png",
            "content-length": str(len(answer.content)),
            "x-content-type-options": "nosniff",
            "cache-control": "public, max-age=86400",
            "etag": etag,
        }.items()
    )
    again = await directory.client.get(DEFAULT, headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert again.headers["cache-control"] == "public, max-age=86400"


@pytest.mark.parametrize(
    "path", ["/static", "/static/", "/static/other.png", "/static/../pyproject.toml", "/static/%2e%2e/app.py"]
)
async def test_there_is_no_other_static_file(directory: Directory, path: str) -> None:
    answer = await directory.client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
