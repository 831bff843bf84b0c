"""Requests that must reach nothing: undeclared methods, other spellings of an address, forged proxy headers."""

from documents.user import Role
from tests.support.directory import Directory
from tests.support.every_case import sample
from tests.support.openapi_document import OPERATIONS
from tests.support.permission_matrix import COMPATIBLE_CASES
from tests.support.permission_setup import Raw
from tests.support.raw_requests import Headers, send_raw
from tests.support.routes import AUTHENTICATED, COMPATIBLE, PAGE, PUBLIC, ROUTES, SIGNING_IN, STRICT, Route

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND", "X" * 100)
REFUSED = {401, 404, 405}
BY_PATH = {
    path: {route.method for route in ROUTES if route.address == path} for path in {route.address for route in ROUTES}
}


def spellings(address: str) -> list[str]:
    """Return spellings of an address that are not equal to it, but that some component might treat as equal."""
    first, _, rest = address[1:].partition("/")
    last = address.rpartition("/")[2]
    return [
        *(f"{address}/", f"{address}//", f"{address}/.", f"{address}/..", f"{address}/../{last}", f"{address};a=b"),
        *(f"/{address}", f"//evil.example{address}", f"http://test{address}", f"{address}%00", f"{address}%20"),
        *(f"{address}%0a", f"{address}%3f", f"{address}.json", f"{address}%2f", f"{address}%5c", f"/{first}//{rest}"),
        *(f"/{first}/./{rest}", f"/{first}/%2e/{rest}", f"/{first}/x/../{rest}", f"/{first}%2f{rest}"),
        *(f"/health/live/..{address}", f"/health/live/%2e%2e{address}", f"/static/favicon.png/..{address}"),
        *(address.upper(), address.title(), address.replace("/", "\\"), address.replace("a", "%61")),
        *(
            address.replace("/api", "/api/v1", 1),
            address.replace("/api", "/api/v2", 1),
            f"/api{address}",
            f"/v1{address}",
        ),
    ]


CLAIMS: list[Headers] = [
    [(name.encode(), value.encode())]
    for name, value in {
        "X-Original-URL": "/health/live",
        "X-Rewrite-URL": "/health/live",
        "X-Forwarded-Prefix": "/health/live",
        "X-HTTP-Method-Override": "GET",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-User": "root",
        "X-Remote-User": "root",
        "X-User-Id": "root",
        "X-Internal": "true",
        "X-API-Key": "root",
        "Authorization": "Basic cm9vdDpyb290",
        "Cookie": "token=root; session=root",
        "Authorization-": "Bearer root",
    }.items()
]
HOSTS = (b"", b"evil.example", b"test/health/live?", b"test/health/live#", b"127.0.0.1", b"test\\health")


def test_every_route_is_described_or_the_compatible_form_of_one_that_is_or_public() -> None:
    described = {(operation.method, operation.path) for operation in OPERATIONS}
    assert {(route.method, route.path) for route in STRICT} == {pair for pair in described if pair[1] not in PUBLIC}
    own = {tuple(name.split(" ")) for name in COMPATIBLE_CASES}
    assert {(route.method, route.inner) for route in COMPATIBLE} - own <= {
        (route.method, route.inner) for route in STRICT
    }
    others = {route.path for route in ROUTES} - {route.path for route in [*AUTHENTICATED, *PAGE]} - SIGNING_IN
    assert others <= PUBLIC
    assert {path for path in others if not path.startswith(("/health/", "/api/health/"))} <= {
        *("/static/favicon.png", "/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"),
        "/metrics",
    }


async def test_a_method_that_a_route_does_not_have_does_nothing_for_anyone(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    credential = ("Bearer " + await directory.key("root")).encode()
    for number, (path, own) in enumerate(BY_PATH.items()):
        for method in sample(sorted(set(METHODS) - own - ({"HEAD"} if "GET" in own else set())), 2, number):
            for headers in ([], [(b"authorization", credential)]):
                answer = await send_raw(directory.app, method, path, headers)
                # The OpenAPI document and its pages are not served in production.
                assert answer.status == 405 or (answer.status == 404 and path in PUBLIC), (method, path, answer)
                allowed = dict(answer.headers).get(b"allow", b"").decode().split(", ")
                assert answer.status == 404 or set(allowed) == own | ({"HEAD"} if "GET" in own else set())
                assert not any(name.startswith(b"access-control-") for name, _ in answer.headers)


async def test_no_spelling_of_an_address_and_no_claim_gets_past_the_credential(directory: Directory) -> None:
    async def refused(route: Route, target: str, headers: Headers = (), host: bytes = b"test") -> None:
        answer = await send_raw(directory.app, route.method, target, headers, host=host)
        assert answer.status in REFUSED, (route, target, headers, host, answer)

    for number, route in enumerate(AUTHENTICATED):
        for target in sample(spellings(route.address), 2, number):
            await refused(route, target)
        for headers in sample(CLAIMS, 2, number):
            await refused(route, route.address, headers)
        for host in sample(HOSTS, 2, number):
            await refused(route, route.address, host=host)


async def test_a_stranger_gets_no_further_by_any_spelling(directory: Directory) -> None:
    await directory.user("eve")
    credential = [(b"authorization", ("Bearer " + await directory.key("eve")).encode())]
    for route in (route for route in AUTHENTICATED if route.inner.startswith(("/users", "/groups", "/models/sync"))):
        for target in (route.address, *spellings(route.address)):
            answer = await send_raw(directory.app, route.method, target, credential)
            assert answer.status in {403, 404, 405}, (route, target, answer)


def test_the_embedded_database_can_not_be_asked_from_elsewhere(raw: Raw) -> None:
    # Its versions are no longer maintained, and have known vulnerabilities in network messages and compression.
    network = raw.client.admin.command("getCmdLineOpts")["parsed"]["net"]
    assert network["bindIp"].startswith("/")
    assert network["compression"] == {"compressors": "disabled"}
    assert network["unixDomainSocket"]["filePermissions"] in (0o600, "0600")
