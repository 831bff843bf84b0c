"""Which texts in a JSON or YAML file are files themselves, by what is around them: manifests and Docker Compose."""

import re
from collections.abc import Callable

# A name or a number in a list, from the manifest (or the document) down.
Steps = tuple[str | int, ...]

_MANIFESTS: dict[str, Callable[[Steps], bool]] = {
    "ConfigMap": lambda steps: len(steps) == 2 and steps[0] == "data",
    # The values of its `data` are encoded.
    "Secret": lambda steps: len(steps) == 2 and steps[0] == "stringData",
    # Of Argo CD.
    "Application": lambda steps: steps[-2:] == ("helm", "values"),
    "ApplicationSet": lambda steps: steps[-2:] == ("helm", "values"),
    # Of Flux, which mostly has the values as they are and not as text.
    "HelmRelease": lambda steps: steps == ("spec", "values"),
    # Of k3s.
    "HelmChart": lambda steps: steps == ("spec", "valuesContent"),
    "HelmChartConfig": lambda steps: steps == ("spec", "valuesContent"),
}
_CONFIGURATION = re.compile(r"\.(?:ya?ml|json)\Z", re.IGNORECASE)


def is_kept_file(kind: str | None, steps: Steps) -> bool:
    """Return whether the text at these steps below a manifest of this kind is a file; kind None is for a document.

    Any other text is prose, source code or somebody's question, whatever it looks like.
    """
    if kind is None:
        return len(steps) == 3 and steps[0] == "configs" and steps[2] == "content"
    return kind in _MANIFESTS and _MANIFESTS[kind](steps)


def may_be_script(kind: str | None, name: str | int) -> bool:
    """Return whether a kept file of this name may be something else than YAML or JSON."""
    return kind in ("ConfigMap", "Secret") and not _CONFIGURATION.search(str(name))
