"""Users, groups and keys."""
