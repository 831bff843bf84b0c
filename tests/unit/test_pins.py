"""No pinned package has a known vulnerability, and the installed versions are the pinned ones."""

from importlib.metadata import version

import pytest

from tests.support.documentation import ROOT

# The first version in which each vulnerability is fixed. Packages that only the tests use are listed if they handle
# requests.
FIXED_IN = {
    "certifi": {"CVE-2024-39689": "2024.7.4"},
    "cryptography": {"CVE-2026-26007": "46.0.5", "CVE-2026-39892": "46.0.7", "CVE-2026-69247": "50.0.0"},
    "fastapi": {"CVE-2024-24762": "0.109.1"},
    "h11": {"CVE-2025-43859": "0.16.0"},
    "httptools": {"CVE-2022-32213": "0.5.0"},
    "idna": {"CVE-2024-3651": "3.7"},
    "mcp": {"CVE-2025-53365": "1.10.0", "CVE-2025-53366": "1.9.4", "CVE-2025-66416": "1.23.0"},
    "orjson": {"CVE-2024-27454": "3.9.15", "CVE-2025-67221": "3.11.6"},
    "pydantic": {"CVE-2024-3772": "2.4.0"},
    "pyjwt": {
        "CVE-2022-29217": "2.4.0",
        "CVE-2024-53861": "2.10.1",
        "CVE-2026-32597": "2.12.0",
        "CVE-2026-48526": "2.13.0",
        "CVE-2026-101918": "2.15.0",
    },
    "pymongo": {"CVE-2024-5629": "4.6.3", "CVE-2026-88029": "4.18.1"},
    "python-multipart": {"CVE-2024-24762": "0.0.7", "CVE-2024-53981": "0.0.18"},
    "pyyaml": {"CVE-2020-14343": "5.4"},
    "requests": {"CVE-2026-25645": "2.33.0"},
    "starlette": {
        "CVE-2025-54121": "0.47.2",
        "CVE-2025-62727": "0.49.1",
        "CVE-2026-48710": "1.0.1",
        "CVE-2026-48818": "1.1.0",
        "CVE-2026-54283": "1.3.1",
    },
    "urllib3": {"CVE-2026-44431": "2.7.0"},
    "uvicorn": {"CVE-2020-7695": "0.11.7"},
}
LINES = (ROOT / "constraints.txt").read_text().split()
PINNED = {name.lower(): pinned for name, _, pinned in (line.partition("==") for line in LINES)}


def _numbers(written: str) -> tuple[int, ...]:
    return tuple(map(int, written.split(".")))


@pytest.mark.parametrize("package", FIXED_IN)
def test_a_pinned_package_is_fixed(package: str) -> None:
    late = {
        advisory for advisory, fixed_in in FIXED_IN[package].items() if _numbers(PINNED[package]) < _numbers(fixed_in)
    }
    assert not late


@pytest.mark.parametrize("package", FIXED_IN)
def test_what_is_installed_is_what_is_pinned(package: str) -> None:
    assert version(package) == PINNED[package]


def test_every_package_is_pinned_to_one_version() -> None:
    assert all(name and pinned for name, pinned in PINNED.items())
    assert len(PINNED) == len(LINES)
