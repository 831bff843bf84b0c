"""`python -m benchmarks`: measure imports, lists and other routes; the exit status is 1 if a threshold is exceeded."""

import argparse
import signal
import sys
from pathlib import Path

from benchmarks.commands import BenchmarkError
from benchmarks.report import print_checks, print_size, write_json
from benchmarks.size_benchmark import embedded_mongodb, run_size
from benchmarks.thresholds import checks
from service.errors import ModeldeckError

SIZES, QUICK_SIZES = (10_000, 100_000), (2_000,)
REPETITIONS, QUICK_REPETITIONS = 60, 8
WARM_UP, QUICK_WARM_UP = 5, 2
MIN_SIZE = 1000


def _size(text: str) -> int:
    size = int(text.replace(",", "").replace("_", ""))
    if size < MIN_SIZE:
        raise argparse.ArgumentTypeError(f"must be {MIN_SIZE} or more")
    return size


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--sizes", type=_size, nargs="+", metavar="MODELS", help="the directory sizes to measure")
    parser.add_argument("--quick", action="store_true", help="a small and short run, to see that everything works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    return parser.parse_args()


def main() -> int:
    """Run the benchmarks and return the exit status."""
    arguments = _arguments()
    sizes = sorted(set(arguments.sizes or (QUICK_SIZES if arguments.quick else SIZES)))
    repetitions, warm_up = (QUICK_REPETITIONS, QUICK_WARM_UP) if arguments.quick else (REPETITIONS, WARM_UP)
    # Handle SIGTERM like Ctrl-C, so that the service and MongoDB are stopped and all files removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    figures = []
    try:
        with embedded_mongodb() as (mongo, directory):
            for size in sizes:
                figures.append(run_size(mongo, directory, size, repetitions, warm_up))
                print_size(figures[-1])
    except KeyboardInterrupt:
        return 130
    except (BenchmarkError, ModeldeckError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    results = checks(figures)
    print_checks(results)
    if arguments.json:
        write_json(arguments.json, figures, results)
    return 1 if any(check.kept is False for check in results) else 0


if __name__ == "__main__":
    sys.exit(main())
