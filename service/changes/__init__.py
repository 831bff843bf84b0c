"""The changes of models as they happen, for each caller those of the models that they may read."""
