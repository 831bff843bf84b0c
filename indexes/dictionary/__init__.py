"""The data dictionary, made of the documents, the indexes and the views: `make docs` writes it to docs/data.md."""
