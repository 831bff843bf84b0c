"""ASGI middleware around all routes, from the outside in: access log, security headers, concurrency limit, timeout."""
