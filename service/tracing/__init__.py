"""Traces of requests and of what the database did for them, for those who ask for them."""
