"""A replica set of real mongods: who is its primary, whether it is whole, and how to end it."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from faults.members import REPLICA_SET, Home, Member, Record
from service.embedded_mongo.mongod import Mongod
from tests.support.commands import until

_PRIMARY, _SECONDARY = 1, 2
WHOLE_SECONDS = 90.0
NEAR_SECONDS = 2.0
# As docs/operations.md recommends. Where packets vanish or a member hangs, MongoDB waits for what never comes: who
# had followed it takes five seconds and half an election timeout to look for another source, and a new primary asks it
# for writes that it may lack itself, though what a majority has is there without. Who follows one that lags, lags too.
RECOMMENDED = {"electionTimeoutMillis": 2500, "catchUpTimeoutMillis": 1000, "chainingAllowed": False}


class ReplicaSet:
    """Members that elect a primary."""

    def __init__(self, mongod: Mongod, homes: Sequence[Home]) -> None:
        """Have a member in each of these homes."""
        self.members = [Member(mongod, home) for home in homes]

    @property
    def uri(self) -> str:
        """The URI for the service, without a database."""
        hosts = ",".join(str(member.home) for member in self.members)
        return f"mongodb://{hosts}/?replicaSet={REPLICA_SET}"

    def begin(self) -> None:
        """Start it; returns when it has a primary and two secondaries."""
        try:
            for member in self.members:
                member.start()
            first = self.members[0]
            config = {
                "_id": REPLICA_SET,
                "members": [{"_id": number, "host": str(member.home)} for number, member in enumerate(self.members)],
                "settings": RECOMMENDED,
            }
            until(lambda: all(member.hello() for member in self.members), "every mongod answers")
            first.command("replSetInitiate", config)
            until(lambda: all(member.hello().get("setName") for member in self.members), "all are members")
            self.whole(eager=first)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill every member."""
        for member in self.members:
            member.kill()

    def primary(self) -> Member:
        """Return the primary: of those who think so, the one that was elected last."""
        found: list[tuple[Any, Member]] = []

        def elected() -> bool:
            told = [(member.hello(), member) for member in self.members]
            found[:] = [(hello["electionId"], member) for hello, member in told if hello.get("isWritablePrimary")]
            return bool(found)

        until(elected, "there is a primary", WHOLE_SECONDS)
        return max(found, key=lambda pair: pair[0])[1]

    def secondaries(self) -> list[Member]:
        """Return the other members."""
        primary = self.primary()
        return [member for member in self.members if member is not primary]

    def whole(self, *, eager: Member | None = None) -> None:
        """Wait until there is one primary and the others follow it closely; an `eager` one may ask to be elected."""

        def settled() -> bool:
            if eager is not None and not eager.hello().get("isWritablePrimary"):
                with contextlib.suppress(PyMongoError):
                    eager.command("replSetStepUp")
            return any(self._is_followed(member) for member in self.members)

        until(settled, "the replica set is whole", WHOLE_SECONDS)

    def _is_followed(self, member: Member) -> bool:
        if not member.hello().get("isWritablePrimary"):
            return False
        try:
            told = member.command("replSetGetStatus")["members"]
        except PyMongoError:
            return False
        if sorted(other["state"] for other in told) != [_PRIMARY] + [_SECONDARY] * (len(self.members) - 1):
            return False
        last = max(other["optimeDate"] for other in told)
        return all((last - other["optimeDate"]).total_seconds() <= NEAR_SECONDS for other in told)

    @contextlib.contextmanager
    def client(self) -> Iterator[MongoClient[Record]]:
        """Yield a client of the whole that reads only what a majority has."""
        concern = ReadConcern("majority")
        with MongoClient[Record](self.uri, readConcernLevel=concern.level, tz_aware=True) as client:
            yield client

    @contextlib.contextmanager
    def unfollowed(self) -> Iterator[None]:
        """Let no secondary fetch what the primary writes while a block runs; whoever is there then goes on."""
        secondaries = self.secondaries()
        for member in secondaries:
            member.fail("stopReplProducer")
        try:
            yield
        finally:
            for member in secondaries:
                if member.runs:
                    member.fail("stopReplProducer", "off")


def step_down(member: Member, seconds: int = 10) -> None:
    """Let a primary give its place up."""
    try:
        member.command("replSetStepDown", seconds, secondaryCatchUpPeriodSecs=seconds)
    except OperationFailure:
        raise
    except PyMongoError:
        # It may close the connection instead of an answer.
        return
