"""Make the views what they are declared to be, and tell where the live database differs."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import bson

from indexes.drift import Drift, DriftKind
from indexes.views import VIEWS, View
from indexes.views.view import Stage

# Of each collection and view by its name, what the server says it was made with.
Options = Mapping[str, Mapping[str, Any]]


class ViewStore(Protocol):
    """The driver calls that views need."""

    async def collection_options(self) -> dict[str, dict[str, Any]]:
        """Return the options of every collection and view, by its name."""

    async def put_view(self, name: str, source: str, pipeline: Sequence[Stage]) -> None:
        """Create a view, or give it another definition.

        When the database user may not do this, nothing is done.
        """


def check_views(live: Options) -> list[Drift]:
    """Return every difference between the declared views and those of the live database."""
    return [drift for view in VIEWS if (drift := _compared(view, live.get(view.name))) is not None]


async def ensure_views(store: ViewStore) -> None:
    """Create the views that are missing, and replace those that are not as declared.

    A view holds nothing that could be lost, and one of an older version would go on telling something else than
    what is documented. A collection that stands in its place is left alone.
    """
    live = await store.collection_options()
    for view in VIEWS:
        found = live.get(view.name)
        if _compared(view, found) is not None and not _is_collection(found):
            await store.put_view(view.name, view.source, view.pipeline)


def _is_collection(options: Mapping[str, Any] | None) -> bool:
    return options is not None and "viewOn" not in options


def _compared(view: View, live: Mapping[str, Any] | None) -> Drift | None:
    if live is None:
        return _drift(view, DriftKind.MISSING, f"of {view.source}")
    if _is_collection(live):
        return _drift(view, DriftKind.DIFFERENT, "a collection stands in its place")
    if live["viewOn"] != view.source:
        return _drift(view, DriftKind.DIFFERENT, f"declared of {view.source}, live of {live['viewOn']}")
    # As they are stored, where order counts: of sorts, and of columns.
    if bson.encode({"stages": live.get("pipeline")}) != bson.encode({"stages": view.pipeline}):
        return _drift(view, DriftKind.DIFFERENT, "another pipeline than the declared one")
    return None


def _drift(view: View, kind: DriftKind, detail: str) -> Drift:
    # The service itself reads no view.
    return Drift(view.name, "view", kind, detail, tolerable=True)
