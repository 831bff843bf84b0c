"""The data dictionary docs/data.md, made from the documents, indexes and views by `make docs`."""
