"""Access grants, permissions, and the principal strings that derived keys contain."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

from documents.text import STORABLE

_GRANT_NAMESPACE = UUID("8a1f6f0c-5f5b-4b58-9f5e-3a1c2d6e7b90")


class PrincipalType(StrEnum):
    """The two kinds of principal that a grant can name."""

    USER = "user"
    GROUP = "group"


class Permission(StrEnum):
    """What a grant allows; write includes read."""

    READ = "read"
    WRITE = "write"


EVERYONE = "*"
PUBLIC = f"{PrincipalType.USER}:{EVERYONE}"


def user_principal(user_id: str) -> str:
    """Return the principal string of one user."""
    return f"{PrincipalType.USER}:{user_id}"


def group_principal(group_id: str) -> str:
    """Return the principal string of one group."""
    return f"{PrincipalType.GROUP}:{group_id}"


class AccessGrant(BaseModel):
    """One principal's permission on one model record; unique per its last three fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_enum_values=True)

    id: Annotated[str, Field(min_length=1, max_length=256), STORABLE] = Field(
        description="Id of the grant.", examples=["43114972-2dab-58d0-a43a-27ef223e89a6"]
    )
    principal_type: PrincipalType = Field(description="Type of the grantee.", examples=["group"])
    principal_id: Annotated[str, Field(min_length=1, max_length=256), STORABLE] = Field(
        description="Id of the user or group; `*` with type `user` means everyone.", examples=["g-platform"]
    )
    permission: Permission = Field(description="What it allows; `write` includes `read`.", examples=["write"])

    @property
    def principal(self) -> str:
        """The principal string, such as `user:u1`, `group:g2` or `user:*`."""
        return f"{self.principal_type}:{self.principal_id}"


def grant_id(model_id: str, principal_type: str, principal_id: str, permission: str) -> str:
    """Return the id of a grant that was sent without one; the same grant always gets the same id."""
    name = "\0".join((model_id, principal_type, principal_id, permission))
    # Called before the parts are checked, so they may contain text that UTF-8 can't encode.
    return str(uuid5(_GRANT_NAMESPACE, name.encode("utf-8", "backslashreplace").decode()))
