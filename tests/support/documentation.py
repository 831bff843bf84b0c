"""The documentation as the tests read it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks(path: Path, language: str) -> list[str]:
    """Return the code blocks of a Markdown file that are in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
