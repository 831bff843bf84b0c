"""Moving out: the directory, or what a caller may see of it, in formats that others read."""
