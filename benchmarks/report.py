"""Prints the figures as tables, and writes them as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.commands import ImportFigures
from benchmarks.list_timings import Result
from benchmarks.route_timings import RouteFigures
from benchmarks.size_benchmark import SizeFigures
from benchmarks.thresholds import Check

_HEAD = (
    f"{'caller':6} {'case':16} {'total':>7} {'http p50':>9} {'p99':>7} {'pipeline':>9} {'floor':>7} {'literal':>8}  "
    f"{'page keys':>9} {'docs':>6}  {'count keys':>10} {'docs':>6}  page plan"
)


def print_size(figures: SizeFigures) -> None:
    """Print the import, the memory and the table of one size."""
    print(f"\n{figures.size:,} models ({figures.bundle_mb:,.0f} MB of JSON lines)")
    print(f"  {_import_line('first import', figures.first_import)}")
    print(f"  {_import_line('again', figures.second_import)}")
    print(f"  service: {figures.idle_mb:.0f} MB resident when idle, {figures.after_mb:.0f} MB after the run")
    print(f"  records {figures.data_mb:,.0f} MB, indexes {figures.index_mb:,.0f} MB")
    for user in figures.callers:
        share = user.visible / figures.size
        principals = len(user.caller.principals)
        print(f"  {user.label}: {principals} principals, {user.visible:,} visible ({share:.1%})")
    print(
        "  times in ms; floor: page query and count alone; pipeline: that of the service, without HTTP; "
        "literal: with $facet\n"
    )
    print(_HEAD)
    # Flushed below, because the next size takes minutes.
    print("\n".join(map(_row, figures.results)))
    print(f"\n{'route (no network)':20} {'request':>8} {'database':>9} {'ratio':>6} {'calls':>6}")
    print("\n".join(map(_route, figures.routes)), flush=True)


def _import_line(label: str, figures: ImportFigures) -> str:
    return (
        f"{label}: {figures.changes:,} changes, {figures.seconds:.1f} s, peak {figures.peak_mb:.0f} MB; "
        f"processor: import {figures.cpu_seconds:.1f} s, mongod {figures.mongod_cpu_seconds:.1f} s"
    )


def _row(result: Result) -> str:
    return (
        f"{result.caller:6} {result.case:16} {result.total:7,} {result.http_p50:9.1f} {result.http_p99:7.1f} "
        f"{result.pipeline_p50:9.1f} {result.floor_p50:7.1f} {result.literal_p50:8.1f}  "
        f"{result.page.keys:9,} {result.page.documents:6,}  {result.count.keys:10,} {result.count.documents:6,}  "
        f"{result.page.steps}"
    )


def _route(figures: RouteFigures) -> str:
    times = f"{figures.request_ms:8.1f} {figures.database_ms:9.1f} {figures.ratio:6.2f}"
    return f"{figures.route:20} {times} {figures.calls:6}"


def print_checks(checks: Sequence[Check]) -> None:
    """Print one line per check."""
    print()
    for check in checks:
        print(check)


def write_json(path: Path, sizes: Sequence[SizeFigures], checks: Sequence[Check]) -> None:
    """Write all figures and checks."""
    content = {"sizes": [_plain(figures) for figures in sizes], "checks": [asdict(check) for check in checks]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(figures: SizeFigures) -> dict[str, Any]:
    whole = asdict(figures)
    whole["callers"] = [
        {
            "label": user.label,
            "user_id": user.caller.user_id,
            "principals": len(user.caller.principals),
            "visible": user.visible,
        }
        for user in figures.callers
    ]
    return whole
