"""Which profile images are accepted."""

import base64

import pytest

from documents.image import MAX_ADDRESS_LENGTH, MAX_IMAGE_BYTES, image_problem, in_ascii, inline_image

PNG = b"\x89PNG\r\n\x1a\n"


def _inline(image: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "/static/favicon.png",
        "/static/a/b.c.png?v=1",
        "/static/a?next=/../b//c%zz#top",
        "/static/..a/.b/...",
        "/static/my%20image.png",
        "/static/%C3%A9t%C3%A9.png",
        "/static/été/画像.png",
        "/static/" + "x" * (MAX_ADDRESS_LENGTH - len("/static/")),
        "https://images.example/x.png",
        "https://images.example:8443/x",
        "https://images.example",
        "https://images.example./x",
        "https://images.example?size=64",
        "https://xn--bcher-kva.example/@ann/画像.png",
        _inline(PNG),
        _inline(PNG + b"\0" * (MAX_IMAGE_BYTES - len(PNG))),
        _inline(b"GIF87a", "gif"),
        _inline(b"GIF89a", "gif"),
        _inline(b"RIFF....WEBP", "webp"),
        _inline(b"\xff\xd8\xff\xe0", "jpeg"),
    ],
)
def test_accepted(url: object) -> None:
    assert image_problem(url) is None


@pytest.mark.parametrize(
    "url",
    [
        5,
        {"url": "/static/favicon.png"},
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "http://images.example/x.png",
        "blob:https://images.example/x",
        "HTTPS://images.example/x.png",
        "other.png",
    ],
)
def test_other_kinds_are_refused(url: object) -> None:
    assert image_problem(url) is not None


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https:///x",
        "https:images.example/x",
        "https://user@evil.example/x",
        "https://user:password@evil.example/x",
        "https://good.example:443@evil.example/x",
        "https://good.example%40evil.example/x",
        "https://evil.example\\@good.example/",
        "https://good.example/\\evil",
        "https://good.example:port/",
        "https://good..example/",
        "https://a b/",
        "https://good.example/a b",
        "https://good.example/x\n",
        "https://good.example/x\r\nSet-Cookie: a=b",
        "https://good.example/\u202egnp.x",
        "https://good.example/\ud800",
        "https://bücher.example/x",
        "https://gооd.example/x",  # Cyrillic letters
        "https://evil.example／good.example/x",  # a full-width slash
        "https://evil.example？@good.example/x",  # a full-width question mark
        "https://good。example/x",  # an ideographic full stop
        "https://good.example/" + "x" * MAX_ADDRESS_LENGTH,
    ],
)
def test_addresses_that_seem_to_be_elsewhere_are_refused(url: str) -> None:
    assert image_problem(url) is not None


@pytest.mark.parametrize(
    "url",
    [
        "//evil.example/x.png",
        "/\\evil.example/x.png",
        "/other/x.png",
        "static/x.png",
        "/%73tatic/x.png",
        "／static/x.png",
        "/static",
        "/static/",
        "/static/a/",
        "/static//evil.example",
        "/static/%2Fevil.example",
        "/static/\\evil.example",
        "/static/%5Cevil.example",
        "/static/.",
        "/static/..",
        "/static/../secret",
        "/static/./x.png",
        "/static//../../etc/passwd",
        "/static/..?x",
        "/static/..#x",
        "/static/..;/x",
        "/static/%2e%2e/x",
        "/static/%2E./x",
        "/static/..%2fx",
        "/static/%252e%252e/x",
        "/static/．．/x",  # full-width dots
        "/static/‥/x",  # two dots in one character
        "/static/..／x",  # a full-width slash
        "/static/%EF%BC%8E%EF%BC%8E/x",  # full-width dots, encoded
        "/static/%C0%AE%C0%AE/x",  # dots in an overlong encoding
        "/static/%zz",
        "/static/%",
        "/static/x%00.png",
        "/static/x%0d%0aSet-Cookie:a=b",
        "/static/x.png\n",
        "/static/x.png\r\nSet-Cookie: a=b",
        "/static/x\x85.png",
        "/static/x y.png",
        "/static/x\u200b.png",
        "/static/\ud800.png",
        "/static/" + "é" * (MAX_ADDRESS_LENGTH // 6),
    ],
)
def test_paths_that_leave_the_static_files_are_refused(url: str) -> None:
    assert image_problem(url) is not None


@pytest.mark.parametrize(
    "url",
    [
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:image/SVG+xml;base64,PHN2Zy8+",
        "data:image/svg+xml,<svg/>",
        "data:text/html;base64,PHN2Zy8+",
        "data:image/png,raw",
        "data:image/png;base64",
        "data:image/png;base64,",
        "data:;base64,iVBORw0KGgo=",
        "data:image/png;charset=utf-8;base64,iVBORw0KGgo=",
        "DATA:image/png;base64,iVBORw0KGgo=",
        "data:IMAGE/PNG;base64,iVBORw0KGgo=",
        "data:image/png;BASE64,iVBORw0KGgo=",
        " data:image/png;base64,iVBORw0KGgo=",
        "data:image/png;base64,iVBORw0KGgo=\n",
        "data:image/png;base64,iVBORw0K\nGgo=",
        "data:image/png;base64, iVBORw0KGgo=",
        "data:image/png;base64,iVBORw0KGgo%3D",
        "data:image/png;base64,iVBORw0KGgo=#x",
        "data:image/png;base64,====",
        "data:image/png;base64,iVBORw0KGgo",
        "data:image/png;base64,iVBORw0KGg",
        "data:image/png;base64,iVBORw0KGgoA=",
        "data:image/png;base64,iVBORw0KGgoA==",
        "data:image/gif;base64,R0lGODlh=R0lGODlh",
        "data:image/jpeg;base64,_9j_4A==",
        "data:image/png;base64,ｉVBORw0KGgo=",
        _inline(b"<svg/>"),
        _inline(PNG, "gif"),
        _inline(PNG[:-1]),
        _inline(b"GIF88a", "gif"),
        _inline(b"GIF8", "gif"),
        _inline(b"RIFF....WAVE", "webp"),
        _inline(b"RIFFWEBP", "webp"),
        _inline(b"\xff\xd8\xff\xe0", "jpg"),
        _inline(PNG + b"\0" * (MAX_IMAGE_BYTES - len(PNG) + 1)),
        _inline(PNG + b"\0" * MAX_IMAGE_BYTES),
    ],
)
def test_inline_images_that_are_not_what_they_say_are_refused(url: str) -> None:
    assert image_problem(url) is not None


def test_the_size_is_reported() -> None:
    problem = image_problem(_inline(PNG + b"\0" * (MAX_IMAGE_BYTES - len(PNG) + 1)))
    assert problem == "has 262,145 bytes; at most 262,144 are allowed"


def test_an_inline_image_is_taken_apart() -> None:
    assert inline_image(_inline(PNG + b"\0\xff")) == ("png", PNG + b"\0\xff")
    assert inline_image("/static/favicon.png") is None


@pytest.mark.parametrize(
    ("url", "encoded"),
    [
        ("/static/favicon.png?v=1&w=2#top", "/static/favicon.png?v=1&w=2#top"),
        ("/static/my%20image.png", "/static/my%20image.png"),
        ("/static/é画.png", "/static/%C3%A9%E7%94%BB.png"),
        ('/static/<"{x}">', "/static/%3C%22%7Bx%7D%22%3E"),
        ("https://images.example:8443/é?a=[b]", "https://images.example:8443/%C3%A9?a=[b]"),
    ],
)
def test_an_address_is_written_in_ascii(url: str, encoded: str) -> None:
    assert in_ascii(url) == encoded
