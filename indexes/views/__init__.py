"""Read-only views for those who query the database directly: stable columns, independent of the stored form."""

from indexes.views.access import EFFECTIVE_ACCESS, EFFECTIVE_ACCESS_BY_MODEL
from indexes.views.changes import DAILY_CHANGES
from indexes.views.flat import MODELS_FLAT
from indexes.views.grants import MODEL_GRANTS
from indexes.views.tags import TAG_USAGE
from indexes.views.view import Column, View

__all__ = ["VIEWS", "VIEW_NAMES", "Column", "View"]

VIEWS = (MODELS_FLAT, MODEL_GRANTS, EFFECTIVE_ACCESS, EFFECTIVE_ACCESS_BY_MODEL, TAG_USAGE, DAILY_CHANGES)
VIEW_NAMES = tuple(view.name for view in VIEWS)
