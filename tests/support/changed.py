"""`python -m tests.support.changed [COMMIT]` prints the tests that `make test-fast` runs, as arguments for pytest.

Those are all unit tests, the test files that changed since the commit, and the integration tests of each changed
module: those in the folder of its package, and those named after the module.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIT, INTEGRATION = ROOT / "tests/unit", ROOT / "tests/integration"
CODE = ("documents", "indexes", "service", "modeldeck_client")
CLIENT = ("client", "src")
# A helper that more test files import than this does not select them all; the tests that run anyway use it too.
FEW = 6


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def changed_files(since: str | None) -> set[Path]:
    """Return the files that differ from a commit; without one, uncommitted files, or else those of the last commit."""
    new = _git("ls-files", "--others", "--exclude-standard")
    names = [*_git("diff", "--name-only", since or "HEAD"), *new]
    if not names and since is None:
        names = _git("diff", "--name-only", "HEAD~1")
    return {ROOT / name for name in names}


def tests_of(changed: Iterable[Path]) -> Iterator[Path]:
    """Yield the integration tests of changed files."""
    everything = sorted(INTEGRATION.rglob("test_*.py"))
    for path in changed:
        place = path.relative_to(ROOT).parts
        place = place[len(CLIENT) :] if place[: len(CLIENT)] == CLIENT else place
        if path in everything:
            yield path
        elif path.suffix == ".py" and place[0] in CODE:
            package = place[1] if len(place) > 2 else place[0]
            yield from (
                test for test in everything if package in test.relative_to(INTEGRATION).parts or _named(test, path)
            )
        elif path.suffix == ".py" and place[0] == "tests" and not path.is_relative_to(UNIT):
            module = ".".join(place).removesuffix(".py")
            importing = [test for test in everything if module in test.read_text(encoding="utf-8")]
            yield from importing if len(importing) <= FEW else ()


def _named(test: Path, module: Path) -> bool:
    return test.stem == f"test_{module.stem}" or test.stem.startswith(f"test_{module.stem}_")


def main() -> None:
    """Print what to run, one path in a line."""
    since = sys.argv[1] if len(sys.argv) > 1 else None
    for path in [UNIT, *sorted(set(tests_of(changed_files(since))))]:
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
