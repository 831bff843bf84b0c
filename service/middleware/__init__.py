"""What every request passes before its route: access log, security headers, concurrency limit, timeout."""
