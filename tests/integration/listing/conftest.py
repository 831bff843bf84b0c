"""Fixtures that make the service take a list for large."""

import pytest


@pytest.fixture
def every_list_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count each list in calls of its own."""
    monkeypatch.setattr("service.listing.counting.KEYS_OF_A_CALL", -1)


@pytest.fixture
def reading_costs_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it cheaper to scan index keys than to read records."""
    for name in ("KEYS_OF_A_RECORD", "KEYS_OF_A_STORED_RECORD"):
        monkeypatch.setattr(f"service.listing.pipeline.{name}", 1000)
