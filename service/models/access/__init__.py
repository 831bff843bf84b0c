"""Why a user may read or write a model."""
