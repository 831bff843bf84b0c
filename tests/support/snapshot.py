"""All records of a database at one moment, for comparing and restoring them."""

from typing import Any

from pymongo.database import Database as SyncDatabase

Raw = SyncDatabase[dict[str, Any]]
COLLECTIONS = ("models", "users", "groups", "api_keys", "revisions", "people_changes")


class Snapshot:
    """The records at the moment of its creation."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._records = {name: list(raw[name].find().sort("_id")) for name in COLLECTIONS}

    def restore(self) -> None:
        """Make these the only stored records."""
        for name, records in self._records.items():
            self._raw[name].delete_many({})
            if records:
                self._raw[name].insert_many(records)

    def unchanged(self) -> bool:
        """Return whether the same records are stored, except for the times at which API keys were used."""
        return all(
            _compared(self._raw[name].find().sort("_id")) == _compared(self._records[name]) for name in COLLECTIONS
        )


def _compared(records: Any) -> list[dict[str, Any]]:
    return [{field: value for field, value in record.items() if field != "last_used_at"} for record in records]
