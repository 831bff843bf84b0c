"""Exporting the directory, or what a caller may read of it, in formats for other systems."""
