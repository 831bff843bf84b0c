"""What a killed service has left in the database."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from faults.replica_set import ReplicaSet


@dataclass(frozen=True, slots=True)
class Database:
    """A database of a replica set, read as a majority has it."""

    replica_set: ReplicaSet
    name: str

    def end_transactions(self) -> int:
        """End what a killed service has left open, as the server does by itself after a minute; return how many."""
        stages: list[dict[str, Any]] = [
            {"$currentOp": {"allUsers": True, "idleSessions": True}},
            {"$match": {"transaction": {"$exists": True}}},
        ]
        with self.replica_set.primary().client() as client:
            found = len(list(client.admin.aggregate(stages)))
            client.admin.command("killAllSessions", [])
            return found

    def count(self, query: dict[str, Any]) -> int:
        """Return how many models match; without an id asked for, of those that are changed together."""
        bulk = {"_id": {"$regex": "^bulk/"}}
        with self.replica_set.client() as client:
            return client[self.name].models.count_documents({**bulk, **query})

    def torn(self) -> list[str]:
        """Return which models do not have exactly the revisions from 1 to their version."""
        with self.replica_set.client() as client:
            database = client[self.name]
            found = {model["_id"]: model["version"] for model in database.models.find({}, {"version": 1})}
            pairs = Counter((told["model_id"], told["version"]) for told in database.revisions.find())
        wanted = Counter((model_id, number + 1) for model_id, version in found.items() for number in range(version))
        wrong = [*(pairs - wanted), *(wanted - pairs)]
        return [f"revision {version} of {model_id} is missing, or there twice" for model_id, version in wrong]
