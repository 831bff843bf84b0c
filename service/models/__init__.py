"""The life of a model record."""
