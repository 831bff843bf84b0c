"""All records of a database at one moment, to compare with and to go back to."""

from typing import Any

from pymongo.database import Database as SyncDatabase

Raw = SyncDatabase[dict[str, Any]]
COLLECTIONS = ("models", "users", "groups", "api_keys", "revisions")


class Snapshot:
    """The records of the moment at which it is made."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._records = {name: list(raw[name].find().sort("_id")) for name in COLLECTIONS}

    def restore(self) -> None:
        """Store these records and no others."""
        for name, records in self._records.items():
            self._raw[name].delete_many({})
            if records:
                self._raw[name].insert_many(records)

    def unchanged(self) -> bool:
        """Say whether the same records are stored, but for the times at which API keys were used."""
        return all(
            _compared(self._raw[name].find().sort("_id")) == _compared(self._records[name]) for name in COLLECTIONS
        )


def _compared(records: Any) -> list[dict[str, Any]]:
    return [{field: value for field, value in record.items() if field != "last_used_at"} for record in records]
