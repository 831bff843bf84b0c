"""A private MongoDB for a fresh machine."""
