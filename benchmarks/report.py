"""Prints the figures as tables, and writes them as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.commands import ImportFigures
from benchmarks.figures import WORSE_FACTOR, Comparison
from benchmarks.list_timings import Result
from benchmarks.route_timings import RouteFigures
from benchmarks.size_benchmark import SizeFigures
from benchmarks.thresholds import Check
from benchmarks.throughput import Load, Throughput

_HEAD = (
    f"{'caller':6} {'case':20} {'total':>9} {'http p50':>9} {'p99':>7} {'pipeline':>9} {'floor':>7} {'literal':>8}  "
    f"{'page keys':>9} {'docs':>6}  {'count keys':>10} {'docs':>6}  page plan"
)


def print_size(figures: SizeFigures) -> None:
    """Print the import, the memory and the table of one size."""
    print(
        f"\n{figures.size:,} models ({figures.bundle_mb:,.0f} MB of JSON lines), measured in {figures.seconds:,.0f} s"
    )
    print(f"  {_import_line('first import', figures.first_import)}")
    print(f"  {_import_line('again', figures.second_import)}")
    print(
        f"  first import: {figures.first_import.cpu_ms_a_change:.2f} ms of processor a record; "
        f"{figures.import_ratio:.1f} x that of inserting finished ones ({figures.insert_cpu_ms:.2f} ms)"
    )
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
    _print_throughput(figures.throughput)
    print(f"\n{'route (no network)':20} {'request':>8} {'database':>9} {'ratio':>6} {'calls':>6}")
    print("\n".join(map(_route, figures.routes)), flush=True)


def _print_throughput(throughput: Throughput) -> None:
    print(
        f"\n{'load':18} {'workers':>7} {'connections':>11} {'a second':>9} {'p50 ms':>7} {'p99':>7} "
        f"{'cpu ms':>7} {'x bare':>7} {'load generator':>15} {'service':>8}  (shares of a core)"
    )
    for load in (throughput.bare_alone, throughput.bare, *throughput.alone, *throughput.loaded):
        print(_load(load, throughput.ratio(load)))


def _load(load: Load, ratio: float) -> str:
    return (
        f"{load.route:18} {load.workers:7} {load.connections:11} {load.per_second:9,.0f} {load.p50_ms:7.2f} "
        f"{load.p99_ms:7.2f} {load.cpu_ms:7.2f} {ratio:7.2f} {load.own_share:15.0%} {load.server_share:8.0%}"
    )


def _import_line(label: str, figures: ImportFigures) -> str:
    return (
        f"{label}: {figures.changes:,} changes, {figures.seconds:.1f} s, peak {figures.peak_mb:.0f} MB; "
        f"processor: import {figures.cpu_seconds:.1f} s, mongod {figures.mongod_cpu_seconds:.1f} s"
    )


def _row(result: Result) -> str:
    total = "-" if result.total is None else f"{result.total:,}"
    literal = "-" if result.literal_p50 is None else f"{result.literal_p50:.1f}"
    counted = ("-", "-") if result.count is None else (f"{result.count.keys:,}", f"{result.count.documents:,}")
    return (
        f"{result.caller:6} {result.case:20} {total:>9} {result.http_p50:9.1f} {result.http_p99:7.1f} "
        f"{result.pipeline_p50:9.1f} {result.floor_p50:7.1f} {literal:>8}  "
        f"{result.page.keys:9,} {result.page.documents:6,}  {counted[0]:>10} {counted[1]:>6}  {result.page.steps}"
    )


def _route(figures: RouteFigures) -> str:
    times = f"{figures.request_ms:8.1f} {figures.database_ms:9.1f} {figures.ratio:6.2f}"
    return f"{figures.route:20} {times} {figures.calls:6}"


def print_checks(checks: Sequence[Check]) -> None:
    """Print one line per check."""
    print()
    for check in checks:
        print(check)


def print_comparisons(comparisons: Sequence[Comparison]) -> None:
    """Print each figure beside the landed one, both as ratios to the floor of their run."""
    print(f"\n{'ratio to the floor':42} {'models':>9} {'now':>8} {'landed':>8} {'now/landed':>10}")
    for one in comparisons:
        landed = f"{'new':>8}" if one.landed is None else f"{one.landed:8.2f} {one.worse:10.2f}"
        mark = "  worse" if one.worse > WORSE_FACTOR else ""
        print(f"{one.name:42} {int(one.size):9,} {one.now:8.2f} {landed}{mark}")


def write_json(
    path: Path, sizes: Sequence[SizeFigures], checks: Sequence[Check], comparisons: Sequence[Comparison]
) -> None:
    """Write all figures, checks and comparisons."""
    content = {
        "sizes": [_plain(figures) for figures in sizes],
        "checks": [asdict(check) for check in checks],
        "compared": [asdict(one) for one in comparisons],
    }
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
