"""What clients may ask of many models at once."""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, StrictBool, model_validator

from documents.grant import Permission, PrincipalType
from documents.text import STORABLE, Identifier
from service.http.form import Form, each
from service.http.json_schema import echoing
from service.listing.params import ListFilter
from service.models.schemas import ECHOED_IN_GRANTS, GRANT, GrantForm, without_echo

MAX_IDS = 1000
MAX_GRANTS = 1000
_EVERYONE: dict[str, Any] = {"principal_type": "user", "principal_id": "*"}


class FilterForm(ListFilter, Form):
    """The filters of the list."""


class SelectionForm(Form):
    """Which models: by their ids, or all that a filter of the list selects and the caller may change."""

    ids: Annotated[list[Identifier], Field(min_length=1, max_length=MAX_IDS)] | None = Field(
        None, description="Either these models, or those that `filter` selects.", examples=[["sql-tuning"]]
    )
    filter: FilterForm | None = Field(None, description="`{}` selects all that the caller may change.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("either ids or filter must be given")
        return self


class StateForm(SelectionForm):
    """The state that these models shall have."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["sql-tuning"], "is_active": False}]})

    is_active: StrictBool


class RemovalForm(Form):
    """What to take away from a principal, who need not exist any more; without `permission`, all."""

    model_config = ConfigDict(use_enum_values=True, json_schema_extra=echoing(*ECHOED_IN_GRANTS, example=_EVERYONE))

    principal_type: PrincipalType
    principal_id: Annotated[str, Field(min_length=1, max_length=256), STORABLE]
    permission: Permission | None = Field(None, description="Absent: both.")

    @model_validator(mode="before")
    @classmethod
    def _drop_echo(cls, values: Any) -> Any:
        return without_echo(values)


Grants = Annotated[list[GrantForm], Field(max_length=MAX_GRANTS), each(GrantForm, MAX_GRANTS)]
Removals = Annotated[list[RemovalForm], Field(max_length=MAX_GRANTS), each(RemovalForm, MAX_GRANTS)]


class SharingForm(SelectionForm):
    """How the grants of these models shall change: all replaced, or some removed and then some added."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"ids": ["sql-tuning"], "add": [GRANT], "remove": [_EVERYONE]}]}
    )

    add: Grants | None = None
    remove: Removals | None = None
    replace: Grants | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        amends = self.add is not None or self.remove is not None
        if amends == (self.replace is not None):
            raise ValueError("either replace must be given, or add, remove or both")
        return self
