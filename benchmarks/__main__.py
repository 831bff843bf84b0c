"""`python -m benchmarks`: measure imports, lists, other routes and load; exit status 1 if a threshold is exceeded."""

import argparse
import signal
import sys
from pathlib import Path

from benchmarks.commands import BenchmarkError
from benchmarks.figures import compared, keep, read_landed
from benchmarks.report import print_checks, print_comparisons, print_size, write_json
from benchmarks.size_benchmark import Effort, embedded_mongodb, log_progress, run_size
from benchmarks.thresholds import LARGE, MEDIUM, SMALL, checks
from service.errors import ModeldeckError

SIZES, QUICK_SIZES = (SMALL, MEDIUM), (2_000,)
EFFORT = Effort(repetitions=60, warm_up=5, load_seconds=4)
QUICK_EFFORT = Effort(repetitions=6, warm_up=1, load_seconds=0.4)
MIN_SIZE = 1000
LARGE_NOTICE = f"{LARGE:,} models: one to two hours, most of it for two imports, and 12 GB in {{}}"


def _size(text: str) -> int:
    size = int(text.replace(",", "").replace("_", ""))
    if size < MIN_SIZE:
        raise argparse.ArgumentTypeError(f"must be {MIN_SIZE} or more")
    return size


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--sizes", type=_size, nargs="+", metavar="MODELS", help="the directory sizes to measure")
    parser.add_argument("--quick", action="store_true", help="a small and short run, to see that everything works")
    parser.add_argument("--large", action="store_true", help=f"measure {LARGE:,} models too, which takes hours")
    parser.add_argument("--keep", action="store_true", help="write the figures that later runs are compared with")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """Run the benchmarks and return the exit status."""
    arguments = _arguments(given)
    sizes = {*(arguments.sizes or (QUICK_SIZES if arguments.quick else SIZES)), *([LARGE] if arguments.large else [])}
    # Handle SIGTERM like Ctrl-C, so that the service and MongoDB are stopped and all files removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    landed = read_landed()
    figures = []
    try:
        with embedded_mongodb() as (mongo, directory):
            for size in sorted(sizes):
                if size >= LARGE:
                    log_progress(LARGE_NOTICE.format(directory))
                figures.append(run_size(mongo, directory, size, QUICK_EFFORT if arguments.quick else EFFORT))
                print_size(figures[-1])
                if arguments.keep:
                    keep(figures)
    except KeyboardInterrupt:
        return 130
    except (BenchmarkError, ModeldeckError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    comparisons = compared(figures, landed)
    results = checks(figures, comparisons)
    print_comparisons(comparisons)
    print_checks(results)
    if arguments.json:
        write_json(arguments.json, figures, results, comparisons)
    return 1 if any(check.kept is False for check in results) else 0


if __name__ == "__main__":
    sys.exit(main())
