"""Read-only views for those who query the database directly: stable columns, independent of the stored form."""

from indexes.views.access import EFFECTIVE_ACCESS, EFFECTIVE_ACCESS_BY_MODEL
from indexes.views.access_changes import ACCESS_CHANGES
from indexes.views.access_counts import ACCESS_COUNTS
from indexes.views.changes import CHANGES
from indexes.views.daily_changes import DAILY_CHANGES
from indexes.views.flat import MODELS_BY_NAME, MODELS_FLAT
from indexes.views.grants import MODEL_GRANTS
from indexes.views.groups import GROUP_TREE
from indexes.views.people import KEYS_FLAT, PEOPLE
from indexes.views.people_history import PEOPLE_HISTORY
from indexes.views.tags import TAG_USAGE
from indexes.views.view import Column, View

__all__ = ["VIEWS", "VIEW_NAMES", "Column", "View"]

VIEWS = (
    MODELS_FLAT,
    MODELS_BY_NAME,
    MODEL_GRANTS,
    EFFECTIVE_ACCESS,
    EFFECTIVE_ACCESS_BY_MODEL,
    ACCESS_COUNTS,
    TAG_USAGE,
    PEOPLE,
    GROUP_TREE,
    KEYS_FLAT,
    CHANGES,
    ACCESS_CHANGES,
    PEOPLE_HISTORY,
    DAILY_CHANGES,
)
VIEW_NAMES = tuple(view.name for view in VIEWS)
