"""Requests that may be sent again: under an idempotency key, the work of a request is done once."""
