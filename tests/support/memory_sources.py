"""In-memory files for the readers of imports."""

from io import BytesIO

from service.importing.source import Source


def source_of(content: str | bytes) -> Source:
    """Return a source with this content."""
    held = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return Source(BytesIO(held), len(held))
