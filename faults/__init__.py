"""Faults that are made on purpose, and whether the service keeps its promises under them: `make faults`."""
