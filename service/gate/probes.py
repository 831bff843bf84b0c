"""The paths that are asked by machines about the process itself: never refused, and not worth a line in a log."""

PROBES = frozenset(prefix + path for prefix in ("", "/api") for path in ("/health/live", "/health/ready", "/metrics"))
