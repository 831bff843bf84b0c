"""The list of models: params -> pipeline -> page, joined by endpoint."""
