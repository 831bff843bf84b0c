"""Bulk changes of the state and the grants of models."""
