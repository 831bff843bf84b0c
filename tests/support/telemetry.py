"""What a service reports about itself: its metrics, as Prometheus parses them, and its JSON log."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.commands import until

LogRecord = dict[str, Any]


def metric_value(answer: httpx.Response, name: str, **labels: str) -> float:
    """Return the sum of all samples of a metric that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def label_values(answer: httpx.Response, name: str, labels: Iterable[str]) -> set[tuple[str, ...]]:
    """Return the values of these labels in all samples of a metric."""
    return {
        tuple(sample.labels[label] for label in labels)
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == name
    }


def log_records(output: Path) -> list[LogRecord]:
    """Return the JSON log records in the output of a `modeldeck serve`."""
    return [json.loads(line) for line in output.read_text().splitlines() if line.startswith("{")]


def request_records(output: Path) -> list[LogRecord]:
    """Return the log records of requests."""
    return [record for record in log_records(output) if "route" in record]


def request_record(answer: httpx.Response, output: Path) -> LogRecord:
    """Return the log record of an answered request; wait for it, because it is written after the answer is sent."""
    wanted = answer.headers["X-Request-ID"]
    until(lambda: wanted in output.read_text(), f"{wanted} is logged")
    (found,) = [record for record in request_records(output) if record["request_id"] == wanted]
    return found
