"""`modeldeck export`: everything, as it is at one moment, to a file or to standard output."""

import gzip
import os
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, cast

import typer

from service.cli.command_line import EXIT_PROBLEMS
from service.cli.open_database import with_database
from service.cli.progress import progress
from service.database.client import Database
from service.errors import ConfigurationError
from service.exporting.content import ExportedContent, ExportedModel, whole_directory
from service.exporting.csv import with_byte_order_mark
from service.exporting.formats import WRITERS, ExportFormat, format_of

SHOWN_FAULTS = 10


class _Tally:
    """Counts the models that go by, and names the first of those that are malformed or are not exported as a whole."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self._progress = progress
        self.models = 0
        self.faults = 0
        self.left_out = 0

    @property
    def whole(self) -> bool:
        """Whether all models were well-formed, and nothing of them was left out."""
        return not self.faults and not self.left_out

    def leave_out(self, model_id: Any, problem: str) -> None:
        """Count a part of a model that the format can't have, and name the first ones."""
        self.left_out += 1
        if self.left_out <= SHOWN_FAULTS:
            print(f"model {model_id!r}: {problem}", file=sys.stderr)

    async def counting(self, batches: AsyncIterator[Sequence[ExportedModel]]) -> AsyncIterator[Sequence[ExportedModel]]:
        async for batch in batches:
            for exported in batch:
                if exported.faults:
                    self._report(exported)
            self.models += len(batch)
            self._progress(self.models)
            yield batch

    def _report(self, exported: ExportedModel) -> None:
        self.faults += 1
        if self.faults <= SHOWN_FAULTS:
            faults = ", ".join(exported.faults)
            print(
                f"model {exported.model['id']!r} is malformed: {faults}; exported as the API shows it", file=sys.stderr
            )


def export(
    format_: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="As the name of the file says, or modeldeck, when not given."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Standard output when not given; FILE.gz is packed.")
    ] = None,
    bom: Annotated[
        bool, typer.Option("--bom", help="With csv: begin with a byte order mark, which Excel needs.")
    ] = False,
) -> None:
    """Export all users, groups and models, as they are at one moment; an import reads them back."""
    kind = format_ or format_of(out.name if out else "")
    if bom and kind is not ExportFormat.CSV:
        raise ConfigurationError("--bom counts only together with --format csv")
    with progress("exported") as report:
        whole = with_database(
            lambda database: _export(database, kind, out, _Tally(report), bom=bom), with_indexes=False
        )
    if not whole:
        sys.exit(EXIT_PROBLEMS)


async def _export(database: Database, kind: ExportFormat, out: Path | None, tally: _Tally, *, bom: bool) -> bool:
    """Export, print how much it was, and return whether all of it was well-formed and nothing was left out."""
    async with database.snapshot():
        writer = WRITERS[kind]
        whole = whole_directory(database, with_columns=writer.needs_columns)
        content = ExportedContent(tally.counting(whole.models), whole.users, whole.groups, tally.leave_out)
        parts = writer.write(content)
        with _opened(out) as file:
            async for part in with_byte_order_mark(parts) if bom else parts:
                file.write(part)
    print(f"exported {tally.models:,} models as {kind}", file=sys.stderr)
    if tally.faults:
        print(f"{tally.faults:,} of them are malformed; see: modeldeck doctor", file=sys.stderr)
    if tally.left_out:
        print(f"{tally.left_out:,} parts of models were left out", file=sys.stderr)
    return tally.whole


@contextmanager
def _opened(out: Path | None) -> Iterator[IO[bytes]]:
    try:
        # With a buffer of its own: what can't be written must not be tried again when the process ends.
        with _replacing(out) if out else open(sys.stdout.fileno(), "wb", closefd=False) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        shown = out or "standard output"
        raise ConfigurationError(f"{shown}: can't be written: {error.strerror or error}") from None


@contextmanager
def _replacing(out: Path) -> Iterator[IO[bytes]]:
    """Open a file beside another one, whose place it takes when all went well."""
    if out.exists() and not out.is_file():
        # A pipe or a device: nothing can take its place.
        with out.open("wb") as file:
            yield file
        return
    # A link stays one: what it leads to is replaced, and keeps its permissions.
    target = Path(os.path.realpath(out))
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            if target.exists():
                os.fchmod(handle, stat.S_IMODE(target.stat().st_mode))
            if out.suffix == ".gz":
                # Without a time, so that the same content is the same file.
                with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                    yield cast(IO[bytes], packed)
            else:
                yield file
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
