"""An idempotent request: what came of a request that was sent with an idempotency key, for those who send it again."""

from typing import Annotated

from beanie import Document
from pydantic import Field

from documents.moment import Moment
from documents.text import Identifier

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, lt=2**63)]


class IdempotentRequest(Document):
    """One request with an idempotency key: while it runs, who does its work; afterwards, its answer. Kept for a day."""

    id: Sha256 = Field(  # type: ignore[assignment]  # Beanie declares an ObjectId
        description="SHA-256 of the caller's id and their idempotency key.", examples=["9f86d081…"]
    )
    user_id: Identifier = Field(description="Id of the caller.", examples=["u-anna"])
    request: Sha256 = Field(description="SHA-256 of method, address and body.", examples=["60303ae2…"])
    by_admin: bool = Field(
        description="Whether the caller was an admin: then, only an admin may see the answer.", examples=[False]
    )
    attempt: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] = Field(
        description="The attempt that does the work: only this one may store what came of it.", examples=["0cc175b9…"]
    )
    attempt_ends_at: Moment = Field(
        description="When another attempt may take over, if this one has not ended.", examples=["2026-05-15T11:40:05Z"]
    )
    expires_at: Moment = Field(description="When it is forgotten.", examples=["2026-05-16T11:39:00Z"])
    status: Count | None = Field(description="The HTTP status of the answer; null until it is done.", examples=[200])
    etag: str | None = Field(description="The `ETag` of the answer, if it has one.", examples=['"1"'])
    answer: bytes | None = Field(
        description="The body of the answer, compressed (zlib); null until it is done, and where it is too large. "
        "Confidential, as `params` are."
    )
    answer_bytes: Count = Field(description="The size of `answer`.", examples=[412])
    repetitions: Count = Field(description="How often the answer was sent again.", examples=[1])

    class Settings:
        """The collection of the idempotent requests."""

        name = "idempotent_requests"
