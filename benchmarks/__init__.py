"""Benchmarks: they compare times within one run, because absolute times depend on the machine (`make bench`)."""
