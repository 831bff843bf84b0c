"""Writers of imported records: one file for each kind of record."""
