"""The revisions of a model: list, compare, restore."""
