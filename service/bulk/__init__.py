"""Many models at once: access, state, sync and import."""
