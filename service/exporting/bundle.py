"""Writers of the formats `modeldeck` and `jsonl`, which an import reads back without a change."""

from collections.abc import AsyncIterator, Sequence

from documents.freeform import json_bytes
from service.database.exact_bson import Record
from service.exporting.content import ExportedContent, ExportedModel


async def write_bundle(content: ExportedContent) -> AsyncIterator[bytes]:
    """Yield one JSON object, one record a line."""
    # The head of a part is sent with its first records: as long as nothing is sent, a failure can become an error.
    opened = b"{"
    async for part, batches in _parts(content):
        opened, separator = opened + b'"%s": [' % part, b"\n"
        async for batch in batches:
            yield opened + separator + b",\n".join(map(json_bytes, batch))
            opened, separator = b"", b",\n"
        opened += b"\n], "
    yield opened.removesuffix(b", ") + b"}\n"


async def write_lines(content: ExportedContent) -> AsyncIterator[bytes]:
    """Yield JSON lines with a `kind`."""
    async for part, batches in _parts(content):
        kind = part.decode().removesuffix("s")
        async for batch in batches:
            yield b"".join(json_bytes({"kind": kind, **record}) + b"\n" for record in batch)


async def _parts(content: ExportedContent) -> AsyncIterator[tuple[bytes, AsyncIterator[Sequence[Record]]]]:
    if content.users is not None:
        yield b"users", content.users
    if content.groups is not None:
        yield b"groups", content.groups
    yield b"models", _only_models(content.models)


async def _only_models(batches: AsyncIterator[Sequence[ExportedModel]]) -> AsyncIterator[Sequence[Record]]:
    async for batch in batches:
        yield [exported.model for exported in batch]
