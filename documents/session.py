"""A session of the page: who has signed in with which API key, without the id that the browser holds."""

from enum import StrEnum
from typing import Annotated

from beanie import Document
from pydantic import Field

from documents.model import CreatedAt
from documents.moment import Moment
from documents.text import Identifier


class SessionKind(StrEnum):
    """What the id of a session is good for: many requests with a cookie, or signing in once by a link."""

    COOKIE = "cookie"
    LINK = "link"


class Session(Document):
    """One session of the page, or a link that begins one. It gives the rights that its API key has at that moment."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(  # type: ignore[assignment]  # Beanie: an ObjectId
        description="SHA-256 of the random id that only the browser has; confidential.", examples=["9f86d081…"]
    )
    kind: SessionKind = Field(
        description="`cookie`: the browser sends the id with each request; `link`: it signs in once.",
        examples=["cookie"],
    )
    user_id: Identifier = Field(description="Id of the user who has signed in.", examples=["u-anna"])
    api_key_id: Identifier = Field(description="Id of the API key that they used.", examples=["5f0c2ab19e44d7c3"])
    created_at: CreatedAt
    expires_at: Moment = Field(
        description="When it ends; each use of a cookie delays that.", examples=["2026-05-15T23:39:00Z"]
    )

    class Settings:
        """The collection of the sessions."""

        name = "sessions"
