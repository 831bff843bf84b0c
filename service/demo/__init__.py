"""A catalogue of real models, made-up people and their grants, for a first look."""
