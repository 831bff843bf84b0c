"""A folder of Modelfiles: those in it and in the folders in it, each as one model, in the order of their names."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from service.importing.file_head import read_file_head
from service.importing.readers.modelfiles import fits_modelfile, is_named_so, read_modelfile
from service.importing.readers.redact import safe_name
from service.importing.source import Item, Source, SourceError

# Of the folder and of all folders in it.
MAX_FILES, MAX_ENTRIES = 10_000, 100_000
MAX_FILE_BYTES, MAX_BYTES = 1 << 20, 1 << 26
LOOKED_FOR = (
    "files with nothing but the instructions of a Modelfile, such as FROM and SYSTEM, in it and one level below"
)


@dataclass(slots=True)
class _Read:
    """What has been read of a folder so far."""

    found: int = 0
    others: int = 0
    bytes: int = 0


def read_modelfile_folder(folder: Path) -> Iterator[Item]:
    """Yield the model of each Modelfile in a folder and one level below, and a note on how many other files there are.

    Files and folders whose names begin with a dot, and links to folders, are passed over. Raises SourceError when there
    are no Modelfiles, too many files, or too much in them.
    """
    read = _Read()
    for number, path in enumerate(_files(folder)):
        if number == MAX_FILES:
            raise SourceError(f"the folder has more than {MAX_FILES:,} files")
        yield from _items(path, folder, read)
    if not read.found:
        raise SourceError(f"there is no Modelfile in the folder among {read.others:,} files; looked for {LOOKED_FOR}")
    if read.others:
        yield Item(
            "note", "the folder", notes=(f"{read.others:,} other files: left out, since they are no Modelfiles",)
        )


def _items(path: Path, folder: Path, read: _Read) -> Iterator[Item]:
    position = safe_name(str(path.relative_to(folder)))
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        yield Item("model", position, problem=f"can't be read: {error.strerror}")
        return
    read.bytes += len(content)
    if read.bytes > MAX_BYTES:
        raise SourceError(f"{position}: the files of the folder have more than {MAX_BYTES:,} bytes in all")
    source = Source(io.BytesIO(content), len(content), path=path)
    if len(content) > MAX_FILE_BYTES and is_named_so(path.name):
        read.found += 1
        yield Item("model", position, problem=f"has more than {MAX_FILE_BYTES:,} bytes, too many for a Modelfile")
    elif len(content) > MAX_FILE_BYTES or fits_modelfile(read_file_head(source)).score < 1:
        read.others += 1
    else:
        read.found += 1
        try:
            for item in read_modelfile(source):
                yield replace(item, position=position)
        except SourceError as error:
            yield Item("model", position, problem=error.detail)


def _files(folder: Path) -> Iterator[Path]:
    for path in _listed(folder):
        if path.is_dir():
            if not path.is_symlink():
                yield from (inner for inner in _listed(path) if inner.is_file())
        elif path.is_file():
            yield path


def _listed(folder: Path) -> list[Path]:
    try:
        found = list(islice(folder.iterdir(), MAX_ENTRIES + 1))
    except OSError as error:
        raise SourceError(f"{safe_name(folder.name)}: {error.strerror}") from None
    if len(found) > MAX_ENTRIES:
        raise SourceError(f"{safe_name(folder.name)}: has more than {MAX_ENTRIES:,} files")
    return sorted(path for path in found if not path.name.startswith("."))
