"""Where a model record came from: the source of an import that keeps it in step."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from documents.moment import Moment
from documents.text import Identifier

MAX_SOURCE_LENGTH = 64
_NAME = "[A-Za-z0-9._-]+"
SourceName = Annotated[str, Field(min_length=1, max_length=MAX_SOURCE_LENGTH, pattern=rf"^{_NAME}$")]
# Stands for a source that was not named, followed by its format; no name can begin with it.
NAMELESS = "format:"


class Origin(BaseModel):
    """The source from which a record is kept in step, and what that source said last."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Annotated[str, Field(min_length=1, max_length=80, pattern=rf"^({NAMELESS})?{_NAME}$")] = Field(
        description="Name of the source; `format:` and the format where it has none.", examples=["litellm-prod"]
    )
    key: Identifier = Field(description="Id that the source gives the model.", examples=["sql-tuning"])
    at: Moment = Field(description="When what the source says was last stored here.", examples=["2026-05-15T11:39:00Z"])
    digest: Annotated[str, Field(min_length=1)] = Field(
        description="Fingerprints of what the source said last, field by field; opaque.",
        examples=["0mC4cXnQ2vZ1pTqa.wVqJ8xS1.9aLkVb2T"],
    )
