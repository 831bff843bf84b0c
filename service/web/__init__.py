"""The page: the directory for people with a browser. It does what the API does, through the same functions."""
