"""`python -m faults.weakened serve`: the service, made to acknowledge what the primary alone has, for control."""

from typing import Any

from pymongo import WriteConcern

from service.cli import main
from service.database import connection

_WEAK = {"w": 1, "journal": False, "retryWrites": True}
_client = vars(connection)["AsyncIOMotorClient"]


def _weak_client(*arguments: Any, **options: Any) -> Any:
    return _client(*arguments, **{**options, **_WEAK})


# Transactions take the client's, everything else the database's.
vars(connection).update(AsyncIOMotorClient=_weak_client, MAJORITY=WriteConcern(w=1))

if __name__ == "__main__":
    main()
