"""Sources that have the models of one service, and what each secret in them is: for tests that treat all alike."""

from pathlib import Path
from typing import Any

from tests.support.import_samples import write_source
from tests.support.model_answers import OLLAMA, OPENAI_MODELS

# By the format: samples by name, each the content of a file.
SAMPLES: dict[str, dict[str, Any]] = {"openai-models": OPENAI_MODELS, "ollama": OLLAMA}


def write_sample(folder: Path, wanted: str, name: str) -> Path:
    """Write a sample of a format into a folder and return its path."""
    return write_source(folder, SAMPLES[wanted][name], "source")
