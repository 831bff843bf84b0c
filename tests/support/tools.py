"""Tools that a test installs and runs; the test is skipped with a reason where they can't be installed."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

INSTALL_SECONDS, RUN_SECONDS = 120.0, 180.0


def output_of_command(*command: str, seconds: float = RUN_SECONDS, **options: Any) -> str:
    """Run a command that must succeed; return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    printed: str = done.stdout
    return printed


def install(*command: str, cwd: Path, seconds: float = INSTALL_SECONDS) -> None:
    """Install packages for a test; skip the test if they can't be installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]}")
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{command[0]} took too long")
    if done.returncode:
        pytest.skip(f"{command[0]} can't install: {(done.stderr.strip() or done.stdout).splitlines()[-1]}")
