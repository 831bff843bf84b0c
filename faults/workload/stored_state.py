"""What the replica set holds after a fault, as a majority of its members has it."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from faults.environment.replica_set import ReplicaSet
from faults.workload.ledger import Stored


def stored_writes(replica_set: ReplicaSet, database: str, prefix: str) -> Stored:
    """Return the models whose ids begin with `prefix` and a hyphen, and their revisions."""
    ids: dict[str, Any] = {"$gte": f"{prefix}-", "$lt": f"{prefix}."}
    with replica_set.client() as client:
        models = client[database].models.find({"_id": ids}, {"version": 1, "name": 1})
        revisions = client[database].revisions.find({"model_id": ids}, {"model_id": 1, "version": 1, "after.name": 1})
        return Stored(
            {found["_id"]: (found["version"], found["name"]) for found in models},
            [(found["model_id"], found["version"], found["after"]["name"]) for found in revisions],
        )


@dataclass(frozen=True, slots=True)
class StoredState:
    """The models of one database, after the service was killed."""

    replica_set: ReplicaSet
    name: str

    def abort_transactions(self) -> int:
        """Abort the transactions that a killed service left open, and return their number.

        The server does the same by itself after a minute.
        """
        stages: list[dict[str, Any]] = [
            {"$currentOp": {"allUsers": True, "idleSessions": True}},
            {"$match": {"transaction": {"$exists": True}}},
        ]
        with self.replica_set.primary().client() as client:
            found = len(list(client.admin.aggregate(stages)))
            client.admin.command("killAllSessions", [])
            return found

    def count(self, query: dict[str, Any]) -> int:
        """Return how many models match; unless the query names ids, only those whose id begins with `bulk/` count."""
        bulk = {"_id": {"$regex": "^bulk/"}}
        with self.replica_set.client() as client:
            return client[self.name].models.count_documents({**bulk, **query})

    def revision_problems(self) -> list[str]:
        """Return a sentence for each revision from 1 to a model's version that is not stored exactly once."""
        with self.replica_set.client() as client:
            database = client[self.name]
            versions = {model["_id"]: model["version"] for model in database.models.find({}, {"version": 1})}
            found = Counter((revision["model_id"], revision["version"]) for revision in database.revisions.find())
        expected = Counter((model_id, number + 1) for model_id, last in versions.items() for number in range(last))
        wrong = [*(found - expected), *(expected - found)]
        return [f"revision {version} of {model_id} is missing or stored twice" for model_id, version in wrong]
