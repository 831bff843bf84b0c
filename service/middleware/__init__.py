"""ASGI middleware around all routes, from the outside in: access log, HEAD, security headers, CORS, concurrency
limit, timeout, compression."""
