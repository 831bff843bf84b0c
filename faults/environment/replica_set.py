"""A replica set of real mongods: start and stop it, find its primary, wait until it is healthy."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from faults.environment.member import REPLICA_SET, Member, MemberConfig, Record
from service.embedded_mongo.mongod import Mongod
from tests.support.commands import until

_PRIMARY, _SECONDARY = 1, 2
HEALTHY_SECONDS = 90.0
MAX_LAG_SECONDS = 2.0
# The settings that docs/operations.md recommends, because the defaults recover slowly when packets vanish or a member
# hangs. A secondary that replicated from the lost member chooses another source only after five seconds and half an
# election timeout. A new primary first asks the lost member for writes that it may lack itself, although every write
# that a majority has is safe without that. And a secondary that replicates from one that lags, lags too.
RECOMMENDED = {"electionTimeoutMillis": 2500, "catchUpTimeoutMillis": 1000, "chainingAllowed": False}


class ReplicaSet:
    """Members that elect a primary."""

    def __init__(self, mongod: Mongod, configs: Sequence[MemberConfig]) -> None:
        """Prepare one member for each configuration; none is started yet."""
        self.members = [Member(mongod, config) for config in configs]

    @property
    def uri(self) -> str:
        """The MongoDB URI for the service, without a database."""
        hosts = ",".join(member.config.address for member in self.members)
        return f"mongodb://{hosts}/?replicaSet={REPLICA_SET}"

    def start(self) -> None:
        """Start and initiate the replica set; return when it has a primary and the others are secondaries."""
        try:
            for member in self.members:
                member.start()
            first = self.members[0]
            members = [{"_id": number, "host": member.config.address} for number, member in enumerate(self.members)]
            config = {"_id": REPLICA_SET, "members": members, "settings": RECOMMENDED}
            until(lambda: all(member.hello() for member in self.members), "every mongod answers")
            first.command("replSetInitiate", config)
            until(lambda: all(member.hello().get("setName") for member in self.members), "all are members")
            self.wait_until_healthy(candidate=first)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill every member."""
        for member in self.members:
            member.kill()

    def primary(self) -> Member:
        """Wait for a primary and return it; if several members call themselves primary, the last elected one."""
        found: list[tuple[Any, Member]] = []

        def elected() -> bool:
            replies = [(member.hello(), member) for member in self.members]
            found[:] = [(hello["electionId"], member) for hello, member in replies if hello.get("isWritablePrimary")]
            return bool(found)

        until(elected, "there is a primary", HEALTHY_SECONDS)
        return max(found, key=lambda pair: pair[0])[1]

    def secondaries(self) -> list[Member]:
        """Return the members other than the primary."""
        primary = self.primary()
        return [member for member in self.members if member is not primary]

    def wait_until_healthy(self, *, candidate: Member | None = None) -> None:
        """Wait until there is one primary and no secondary lags; a `candidate` asks to be elected meanwhile."""

        def healthy() -> bool:
            if candidate is not None and not candidate.hello().get("isWritablePrimary"):
                with contextlib.suppress(PyMongoError):
                    candidate.command("replSetStepUp")
            return any(self._is_healthy_primary(member) for member in self.members)

        until(healthy, "the replica set is healthy", HEALTHY_SECONDS)

    def _is_healthy_primary(self, member: Member) -> bool:
        if not member.hello().get("isWritablePrimary"):
            return False
        try:
            states = member.command("replSetGetStatus")["members"]
        except PyMongoError:
            return False
        if sorted(state["state"] for state in states) != [_PRIMARY] + [_SECONDARY] * (len(self.members) - 1):
            return False
        last = max(state["optimeDate"] for state in states)
        return all((last - state["optimeDate"]).total_seconds() <= MAX_LAG_SECONDS for state in states)

    @contextlib.contextmanager
    def client(self) -> Iterator[MongoClient[Record]]:
        """Yield a client of the replica set that reads with the read concern `majority`."""
        concern = ReadConcern("majority")
        with MongoClient[Record](self.uri, readConcernLevel=concern.level, tz_aware=True) as client:
            yield client

    @contextlib.contextmanager
    def replication_stopped(self) -> Iterator[None]:
        """Let no secondary fetch the writes of the primary while the block runs.

        Afterwards, those that are still running continue.
        """
        secondaries = self.secondaries()
        for member in secondaries:
            member.set_failpoint("stopReplProducer")
        try:
            yield
        finally:
            for member in secondaries:
                if member.is_running:
                    member.set_failpoint("stopReplProducer", "off")


def step_down(member: Member, seconds: int = 10) -> None:
    """Have a primary step down."""
    try:
        member.command("replSetStepDown", seconds, secondaryCatchUpPeriodSecs=seconds)
    except OperationFailure:
        raise
    except PyMongoError:
        # The member may close the connection instead of replying.
        return
