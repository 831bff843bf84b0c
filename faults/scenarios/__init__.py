"""The fault tests: each module injects faults of one kind and yields a row of the report for each."""
