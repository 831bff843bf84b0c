"""The formats that can be exported: their names and writers."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum

from service.exporting.bundle import write_bundle, write_lines
from service.exporting.content import ExportedContent
from service.exporting.csv import write_table
from service.exporting.openwebui import write_openwebui
from service.exporting.parquet import write_parquet


class ExportFormat(StrEnum):
    """A format, by its name on the command line and in the API."""

    MODELDECK = "modeldeck"
    OPENWEBUI = "openwebui"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class ExportWriter:
    """How a format is written: its writer, its media type, the suffix of its files, and whether it needs `columns`."""

    write: Callable[[ExportedContent], AsyncIterator[bytes]]
    media_type: str
    suffix: str
    needs_columns: bool = False


WRITERS = {
    ExportFormat.MODELDECK: ExportWriter(write_bundle, "application/json", ".json"),
    ExportFormat.OPENWEBUI: ExportWriter(write_openwebui, "application/json", ".json"),
    ExportFormat.JSONL: ExportWriter(write_lines, "application/x-ndjson", ".jsonl"),
    ExportFormat.CSV: ExportWriter(write_table, "text/csv; charset=utf-8", ".csv"),
    ExportFormat.PARQUET: ExportWriter(write_parquet, "application/vnd.apache.parquet", ".parquet", needs_columns=True),
}


def format_of(name: str) -> ExportFormat:
    """Return the format for the suffix of a file name; a bundle, if no format has that suffix."""
    ends = {writer.suffix: kind for kind, writer in reversed(WRITERS.items())}
    plain = name.lower().removesuffix(".gz")
    return next((kind for suffix, kind in ends.items() if plain.endswith(suffix)), ExportFormat.MODELDECK)
