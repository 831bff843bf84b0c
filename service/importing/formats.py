"""The formats that can be imported: how a file is recognised by its content alone, and its reader."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from service.errors import ConfigurationError
from service.importing.file_head import HEAD_BYTES, NO_FIT, FileHead, Fit, read_file_head
from service.importing.readers.bundle import fits_bundle, read_bundle
from service.importing.readers.librechat import fits_librechat, read_librechat
from service.importing.readers.litellm import fits_litellm, read_litellm
from service.importing.readers.litellm_prices import fits_litellm_prices, read_litellm_prices
from service.importing.readers.modelfiles import fits_modelfile, read_modelfile
from service.importing.readers.models_dev import fits_models_dev, read_models_dev
from service.importing.readers.ollama import fits_ollama, read_ollama
from service.importing.readers.openai_models import fits_openai_models, read_openai_models
from service.importing.readers.openwebui import fits_openwebui, other_export, read_openwebui
from service.importing.readers.sqlite_tables import fits_sqlite
from service.importing.source import CHUNK_BYTES, UNREADABLE, Reader, Source, SourceError


class SourceFormat(StrEnum):
    """A format, by its name on the command line."""

    MODELDECK = "modeldeck"
    OPENWEBUI = "openwebui"
    OPENWEBUI_DB = "openwebui-db"
    LITELLM = "litellm"
    LITELLM_PRICES = "litellm-prices"
    OPENAI_MODELS = "openai-models"
    OLLAMA = "ollama"
    MODELFILE = "modelfile"
    LIBRECHAT = "librechat"
    MODELS_DEV = "models-dev"
    LITELLM_DB = "litellm-db"


@dataclass(frozen=True, slots=True)
class Format:
    """How a format is recognised and read. `whole` files are in memory as a whole, so they are read only once.

    A database has no reader, since it is opened by its path or URL.
    """

    fits: Callable[[FileHead], Fit]
    read: Reader | None
    whole: bool = False


class UnrecognisedError(SourceError):
    """The file is of none of the formats, or of several."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """The format of a file, and the reason why it is taken for that."""

    format: SourceFormat
    reason: str


# A file is of a format if more than half of what was looked at is.
_FITTING = 0.5

FORMATS: dict[SourceFormat, Format] = {
    SourceFormat.MODELDECK: Format(fits_bundle, read_bundle),
    SourceFormat.OPENWEBUI: Format(fits_openwebui, read_openwebui),
    SourceFormat.OPENWEBUI_DB: Format(fits_sqlite, None),
    SourceFormat.LITELLM: Format(fits_litellm, read_litellm, whole=True),
    SourceFormat.LITELLM_PRICES: Format(fits_litellm_prices, read_litellm_prices),
    SourceFormat.OPENAI_MODELS: Format(fits_openai_models, read_openai_models),
    SourceFormat.OLLAMA: Format(fits_ollama, read_ollama),
    SourceFormat.MODELFILE: Format(fits_modelfile, read_modelfile, whole=True),
    SourceFormat.LIBRECHAT: Format(fits_librechat, read_librechat, whole=True),
    SourceFormat.MODELS_DEV: Format(fits_models_dev, read_models_dev),
    # Only a URL leads to it.
    SourceFormat.LITELLM_DB: Format(lambda _: NO_FIT, None),
}


def recognise(source: Source) -> Recognised:
    """Return the format of a file.

    Raises UnrecognisedError when no format fits, or several do; the message names what comes nearest.
    """
    head = read_file_head(source)
    if not head.content.strip(b"\xef\xbb\xbf \t\r\n") and len(head.content) < HEAD_BYTES:
        raise UnrecognisedError(_why_empty(source))
    # Before the formats: a chat can quote a configuration, and a tool has nearly all fields of a model.
    if other := other_export(head):
        raise UnrecognisedError(f"not recognised: {other}, which holds no models")
    fits = {name: format_.fits(head) for name, format_ in FORMATS.items()}
    found = [name for name, fit in fits.items() if fit.score >= _FITTING]
    if len(found) == 1:
        return Recognised(found[0], fits[found[0]].reason)
    if found:
        reasons = "; ".join(f"{name}, since it is {fits[name].reason}" for name in found)
        raise UnrecognisedError(f"fits several formats: {reasons}. Name one with --format, or format over HTTP.")
    raise UnrecognisedError(f"not recognised. The formats are {', '.join(FORMATS)}.{_nearest(head, fits)}")


def _why_empty(source: Source) -> str:
    """Return why nothing is known of a file: it has nothing but blanks, or its first part can't be read."""
    try:
        with source.text() as text:
            while text.read(CHUNK_BYTES):
                pass
    except EOFError:
        return "can't be read: the compressed file is cut off"
    except UNREADABLE:
        return "can't be read: the compressed file is damaged, or has something after its end"
    return "the file is empty"


def _nearest(head: FileHead, fits: dict[SourceFormat, Fit]) -> str:
    """Return a sentence, after a space, on what a file is, or what it comes nearest to; nothing if that is unknown."""
    if not head.is_text:
        return " It is not UTF-8 text."
    nearest = max(fits, key=lambda name: fits[name].score)
    if fits[nearest].score:
        return f" It comes nearest to {nearest}: {fits[nearest].reason}."
    if head.problem and head.text.lstrip()[:1] in ("{", "["):
        return f" It begins like JSON; {head.problem}."
    return ""


def reader_of(wanted: SourceFormat) -> Reader:
    """Return the reader of a format; raise ConfigurationError for a database, which is opened by its path or URL."""
    read = FORMATS[wanted].read
    if read is None:
        raise ConfigurationError(
            f"{wanted} is a database: it can't be read as a stream, only opened by its path or URL"
        )
    return read
