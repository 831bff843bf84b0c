"""Which profile images are accepted."""

import base64

import pytest

from documents.image import MAX_IMAGE_BYTES, image_problem

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
        "https://images.example/x.png",
        "https://images.example:8443/x",
        "https://images.example",
        _inline(PNG),
        _inline(PNG + b"\0" * (MAX_IMAGE_BYTES - len(PNG))),
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
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "http://images.example/x.png",
        "HTTPS://images.example/x.png",
        "https://",
        "https:///x",
        "https://user@evil.example/x",
        "https://evil.example\\@good.example/",
        "https://a b/",
        "//evil.example/x.png",
        "/static//../../etc/passwd",
        "/static/../secret",
        "/static/",
        "/other/x.png",
        "static/x.png",
        "/static/x.png\n",
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:image/SVG+xml;base64,PHN2Zy8+",
        "data:text/html;base64,PHN2Zy8+",
        "data:image/png,raw",
        "DATA:image/png;base64,iVBORw0KGgo=",
        "data:image/png;base64,====",
        "data:image/png;base64,iVBORw0KGg",
        _inline(b"<svg/>"),
        _inline(PNG, "gif"),
        _inline(PNG + b"\0" * MAX_IMAGE_BYTES),
    ],
)
def test_refused(url: object) -> None:
    assert image_problem(url) is not None
