"""An index that tells what it is for."""

from typing import Any

from pymongo import ASCENDING, IndexModel

Key = str | tuple[str, int]


class Index(IndexModel):
    """A named index over some fields, ascending unless told otherwise; `serves` says which query it is for."""

    def __init__(self, name: str, *fields: Key, serves: str, **options: Any) -> None:
        keys = [(field, ASCENDING) if isinstance(field, str) else field for field in fields]
        super().__init__(keys, name=name, **options)
        self.serves = serves
