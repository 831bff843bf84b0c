"""Links to other pages of what was asked for (RFC 8288)."""

from urllib.parse import parse_qsl, quote, urlencode

from fastapi import Request


def next_page_link(request: Request, cursor: str) -> dict[str, str]:
    """Return the header with the link to the next page: the same request with this cursor, and without a page.

    Below MODELDECK_ROOT_PATH, the path of a request begins with it.
    """
    asked = parse_qsl(request.scope["query_string"].decode("ascii"), keep_blank_values=True)
    pairs = [(name, value) for name, value in asked if name not in {"page", "cursor"}]
    query = urlencode([*pairs, ("cursor", cursor)])
    return {"Link": f'<{quote(request.scope["path"])}?{query}>; rel="next"'}
