"""Forbidden and allowed profile images, and every request that could store one."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any, NamedTuple

SVG = b64encode(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>").decode()
PNG = b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8)).decode()
HTML = b64encode(b"<script>alert(1)</script>").decode()
# An address without a machine; a test would see any attempt to connect to it.
ELSEWHERE = "192.0.2.1"
REFUSED: list[Any] = [
    *(
        f"data:image/svg+xml;base64,{SVG}",
        "data:image/svg+xml,<svg onload='alert(1)'/>",
        f"data:image/png;base64,{SVG}",
    ),
    *(f"DATA:image/png;base64,{PNG}", f"data:IMAGE/PNG;base64,{PNG}", f"data:image/PNG;base64,{PNG}"),
    *(f"data:image/Svg+Xml;base64,{SVG}", f"dAtA:iMaGe/sVg+xMl;bAsE64,{SVG}", f"data:image/png;BASE64,{PNG}"),
    *(f"data:image/png;charset=utf-8;base64,{PNG}", f"data:image/png;base64;x=y,{PNG}", f"data:image/png,{PNG}"),
    *(f"data:image/png;a=image/svg+xml;base64,{SVG}", f"data:image/png;base64,{PNG}#<svg>", f"data:;base64,{PNG}"),
    *(f"data:text/html;base64,{HTML}", f"data:image/png;base64, {PNG}", f"data:image/gif;base64,{PNG}"),
    *(f"data:image/bmp;base64,{PNG}", f"data:image/x-icon;base64,{PNG}", f"data:application/xhtml+xml;base64,{HTML}"),
    *("javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "vbscript:x"),
    *("\x01javascript:alert(1)", "&#106;avascript:alert(1)", "javascript&colon;alert(1)", "view-source:x", "blob:x"),
    *(f"//{ELSEWHERE}/a.png", f"\\\\{ELSEWHERE}\\a.png", f"/\\{ELSEWHERE}/a.png", f"///{ELSEWHERE}/a.png"),
    *(f"http://{ELSEWHERE}/a.png", f"HTTPS://{ELSEWHERE}/a.png", f"https:/{ELSEWHERE}/a.png", f"https:{ELSEWHERE}"),
    *(f"https://a@{ELSEWHERE}/", f"ftp://{ELSEWHERE}/a.png", f"file://{ELSEWHERE}/etc/passwd", "file:///etc/passwd"),
    *(f"gopher://{ELSEWHERE}/_GET", "/etc/passwd", "/static/../app.py", "/static/%2e%2e/app.py", "/api/users", "a.png"),
    *(f"https://{ELSEWHERE}/a\r\nX-A: b", "https://", "https://[::1]/a", "https://127.0.0.1:99999999/", "\0"),
    *(5, True, [f"data:image/png;base64,{PNG}"], {"url": f"//{ELSEWHERE}"}, {"$ne": 1}),
]
# Stored as they are; the service at most redirects to them and never fetches them itself.
ACCEPTED = [f"https://{ELSEWHERE}/a.png", f"data:image/png;base64,{PNG}", "/static/favicon.png"]


class Way(NamedTuple):
    """A request that would store an image in a model."""

    path: str
    body: Any
    method: str = "POST"
    # Whether an invalid part is reported, and the rest is stored.
    reports: bool = False


def ways(image: Any) -> Iterator[Way]:
    """Yield every request that would store an image in the existing model `m` or in a new one."""
    meta = {"profile_image_url": image}
    model = {"id": "m", "name": "M", "meta": meta}
    for prefix in ("/api/models", "/api/v1/models"):
        yield Way(f"{prefix}/create", {**model, "id": "new"})
        yield Way(f"{prefix}/model/update", {"id": "m", "meta": meta})
        yield Way(f"{prefix}/model?id=m", {"meta": meta}, "PATCH")
        yield Way(f"{prefix}/import", {"models": [model]})
        yield Way(f"{prefix}/import", {"models": [{**model, "id": "new"}]})
        yield Way(f"{prefix}/sync", {"models": [model], "max_deletions": "100%"})
        yield Way(f"{prefix}/import?format=modeldeck", {"models": [model]})
        yield Way(f"{prefix}/import?format=modeldeck&atomic=false", {"models": [model]}, reports=True)
        yield Way(f"{prefix}/import?format=openwebui&atomic=false&mine=true", [{**model, "id": "new"}], reports=True)
