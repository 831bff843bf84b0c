"""Counts and times for Prometheus, of one process or of all that serve together."""
