"""The tools: what each is called, takes, answers with and reads. All of them read, and none can do anything else."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp.types import Tool, ToolAnnotations
from pydantic import BaseModel

from modeldeck_client import AsyncModeldeck
from service.errors import ModeldeckError
from service.mcp.answers import LISTED_FIELDS, Access, History, Me, Model, ModelPage
from service.mcp.arguments import (
    AccessArguments,
    Arguments,
    HistoryArguments,
    ModelArguments,
    NoArguments,
    RecentArguments,
    SearchArguments,
    ValueArguments,
)
from service.mcp.shortening import Part, part_of, value_at

_ANNOTATIONS = ToolAnnotations(
    read_only_hint=True,
    destructive_hint=False,
    idempotent_hint=True,
    # What it reads is closed: the models of one directory.
    open_world_hint=False,
)


@dataclass(frozen=True, slots=True)
class ReadingTool:
    """One tool. `read` takes valid arguments; `description` is for the assistant."""

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    answer: type[BaseModel]
    read: Callable[[AsyncModeldeck, Any], Awaitable[BaseModel]]

    def described(self) -> Tool:
        """Return the tool as the protocol lists it."""
        return Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.arguments.model_json_schema(),
            output_schema=self.answer.model_json_schema(mode="serialization"),
            annotations=_ANNOTATIONS,
        )


async def _who(client: AsyncModeldeck, _: NoArguments) -> Me:
    return Me.of(await client.me())


async def _search(client: AsyncModeldeck, arguments: SearchArguments) -> ModelPage:
    return ModelPage.of(await client.page(**arguments.given(), fields=LISTED_FIELDS))


async def _recent(client: AsyncModeldeck, arguments: RecentArguments) -> ModelPage:
    filters = arguments.given()
    return ModelPage.of(await client.page(**filters, order_by="updated_at", direction="desc", fields=LISTED_FIELDS))


async def _get(client: AsyncModeldeck, arguments: ModelArguments) -> Model:
    return Model.of(await client.get(arguments.id))


async def _value(client: AsyncModeldeck, arguments: ValueArguments) -> Part:
    model = await client.get(arguments.id)
    try:
        value = value_at(model, arguments.pointer)
    except LookupError:
        raise ModeldeckError("pointer: there is nothing at this place of the model") from None
    return part_of(value, arguments.offset, model["version"])


async def _access(client: AsyncModeldeck, arguments: AccessArguments) -> Access:
    if arguments.user_id is not None:
        return Access.of(await client.explain(arguments.id, arguments.user_id))
    return Access.of_all(await client.readers(arguments.id, page=arguments.page, page_size=arguments.page_size))


async def _history(client: AsyncModeldeck, arguments: HistoryArguments) -> History:
    return History.of(await client.history(arguments.id, page=arguments.page, page_size=arguments.page_size))


TOOLS: Mapping[str, ReadingTool] = {
    tool.name: tool
    for tool in (
        ReadingTool(
            "who_am_i",
            "Who am I",
            "Say who the user of the key is: their id, name, role and groups. Every tool reads with their rights.",
            NoArguments,
            Me,
            _who,
        ),
        ReadingTool(
            "search_models",
            "Search models",
            "List the models that the user of the key may read, or search them by words and filters; without any, all "
            "of them. Gives ids, names and the beginning of descriptions, a page at a time; get_model gives the rest.",
            SearchArguments,
            ModelPage,
            _search,
        ),
        ReadingTool(
            "get_model",
            "Get a model",
            "Read one model as a whole: parameters with the system prompt (only for those who may change it), "
            "description, capabilities, tags, and whom it is shared with. Long values are cut; `cut` names them.",
            ModelArguments,
            Model,
            _get,
        ),
        ReadingTool(
            "read_value",
            "Read a long value",
            "Read one value of a model in parts, such as a long system prompt that get_model has cut.",
            ValueArguments,
            Part,
            _value,
        ),
        ReadingTool(
            "explain_access",
            "Explain access",
            "Say whether and why one user may read or change a model, or list all who may: by ownership, by a grant "
            "to them, to a group, or to everyone. For the owner and admins; about oneself, for all who may read it.",
            AccessArguments,
            Access,
            _access,
        ),
        ReadingTool(
            "model_history",
            "History of a model",
            "List the changes of one model, newest first: who changed which fields, and when. For those who may "
            "change the model.",
            HistoryArguments,
            History,
            _history,
        ),
        ReadingTool(
            "recent_changes",
            "Recent changes",
            "List the models that were created or changed last, newest first; model_history says by whom. Deleted "
            "models do not appear.",
            RecentArguments,
            ModelPage,
            _recent,
        ),
    )
}
