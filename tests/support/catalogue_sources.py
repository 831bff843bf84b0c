"""Sources that have the models of one service, and what each secret in them is: for tests that treat all alike."""

from pathlib import Path
from typing import Any

from tests.support.import_samples import write_source
from tests.support.model_answers import OLLAMA, OPENAI_MODELS

# By the name of the file.
MODELFILES = {
    "tutor.modelfile": 'FROM llama3.2\nPARAMETER temperature 0.7\nSYSTEM """You teach.\nSlowly."""\n',
    "Modelfile.short": "FROM llama3.2\n",
    "Modelfile": "# ours\nfrom llama3.2:3b\nsystem Answer in one word.\nTEMPLATE {{ .Prompt }}\nLICENSE MIT\n",
}
# By the format: samples by name, each the content of a file.
SAMPLES: dict[str, dict[str, Any]] = {"openai-models": OPENAI_MODELS, "ollama": OLLAMA, "modelfile": MODELFILES}


def write_sample(folder: Path, wanted: str, name: str) -> Path:
    """Write a sample of a format into a folder and return its path."""
    return write_source(folder, SAMPLES[wanted][name], name if wanted == "modelfile" else "source")
