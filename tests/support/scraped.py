"""Metrics of a service, as Prometheus reads them."""

from collections.abc import Iterable

import httpx
from prometheus_client.parser import text_string_to_metric_families


def value(answer: httpx.Response, name: str, **labels: str) -> float:
    """Return the sum of the samples of a name that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def labelled(answer: httpx.Response, name: str, labels: Iterable[str]) -> set[tuple[str, ...]]:
    """Return the values that these labels have in the samples of a name."""
    return {
        tuple(sample.labels[label] for label in labels)
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == name
    }
