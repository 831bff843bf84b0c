"""Changes of models as they happen, and the server-sent events that hold them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

from modeldeck_client.types import Model

_Showing = Literal["created", "updated", "added"]
_Hiding = Literal["deleted", "removed"]


@dataclass(frozen=True, slots=True)
class ModelShown:
    """A model was created or updated, or a change of rights has added it to those that the caller may read.

    `model` is as that change left it. To go on after any event, follow since its `token`.
    """

    kind: _Showing
    model: Model
    token: str


@dataclass(frozen=True, slots=True)
class ModelHidden:
    """A model was deleted, or a change of rights has removed it from those that the caller may read."""

    kind: _Hiding
    model_id: str
    token: str


@dataclass(frozen=True, slots=True)
class Resync:
    """What the caller may read is not known any more, or not yet: get the models anew."""

    token: str
    kind: Literal["resync"] = "resync"


Event: TypeAlias = ModelShown | ModelHidden | Resync


@dataclass(frozen=True, slots=True)
class Message:
    """A server-sent event; one without an event in it only moves the token on."""

    token: str | None
    event: Event | None


class MessageDecoder:
    """Finds the messages in the parts of a stream."""

    def __init__(self) -> None:
        self.retry_seconds: float | None = None
        self._begun: list[bytes] = []
        self._fields: dict[str, str] = {}

    def messages(self, part: bytes) -> Iterator[Message]:
        """Yield the messages that end in this part."""
        *ended, rest = part.split(b"\n")
        for end in ended:
            line = b"".join([*self._begun, end]).removesuffix(b"\r")
            self._begun = []
            if line:
                self._take(line.decode())
            elif self._fields:
                yield self._message()
        if rest:
            self._begun.append(rest)

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "retry" and value.isascii() and value.isdigit():
            self.retry_seconds = float(value) / 1000
        elif name in {"id", "event"}:
            self._fields[name] = value
        elif name == "data":
            self._fields[name] = f"{self._fields[name]}\n{value}" if name in self._fields else value

    def _message(self) -> Message:
        fields, self._fields = self._fields, {}
        token = fields.get("id")
        return Message(token, _event(fields["event"], token or "", fields["data"]) if "event" in fields else None)


def _event(name: str, token: str, data: str) -> Event | None:
    content: Any = json.loads(data)
    if name in get_args(_Showing):
        return ModelShown(cast(_Showing, name), content, token)
    if name in get_args(_Hiding):
        return ModelHidden(cast(_Hiding, name), content["id"], token)
    # Kinds that later versions of the service may have are left out.
    return Resync(token) if name == "resync" else None
