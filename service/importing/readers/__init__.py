"""Readers of the formats that can be imported: one file for each source."""
