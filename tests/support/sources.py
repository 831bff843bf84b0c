"""Files for the readers of imports, in memory."""

from io import BytesIO

from service.importing.source import Source


def source_of(content: str | bytes) -> Source:
    """Return a file that holds this."""
    held = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return Source(BytesIO(held), len(held))
