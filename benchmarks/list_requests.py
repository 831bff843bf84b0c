"""The list requests that are measured."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args
from urllib.parse import urlencode

from benchmarks import vocabulary
from benchmarks.api_client import ApiClient
from benchmarks.bundle_generator import NEWEST, group_id
from service.listing.params import FacetName, ListParams

LIST = "/api/models/list"
FIRST_PAGE, ABSENT, RARE = "first page", "absent word", "rare word"
UNCOUNTED, BY_CURSOR, BY_CURSOR_UNCOUNTED = "first, no total", "cursor", "cursor, no total"
# Their cost must not grow with the directory.
BOUNDED = (UNCOUNTED, BY_CURSOR_UNCOUNTED)
FACETS: tuple[FacetName, ...] = get_args(FacetName)
ALL_FACETS = "all facets"
PAGE_SIZE, DEEPEST_PAGE = 30, 666
WEEK = 7 * 86_400


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A list request: its name in the table, its query parameters, and what is known of them only in a directory.

    `deep`: at two thirds of what the caller may read, but no deeper than page 666, `by_cursor` or by number.
    `of_first_page`: with the ids of the models on the first page, or with the owner of the first one. `known`: the
    client has the page already, and says so. `literal`: it is also compared with the pipeline as one would write it
    first.
    """

    name: str
    values: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    deep: bool = False
    by_cursor: bool = False
    of_first_page: Literal["id", "owner"] | None = None
    known: bool = False
    literal: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def params(self) -> ListParams:
        """The parameters as the service reads them."""
        return ListParams.model_validate(self.values)

    @property
    def path(self) -> str:
        """The path and query string of the request."""
        return f"{LIST}?{urlencode(self.values, doseq=True)}"

    @property
    def reads_only_its_page(self) -> bool:
        """Whether the keys of the index of its order answer all filters, so that no other records are read."""
        answered = {"page", "page_size", "order_by", "direction", "view_option", "kind", "is_active", "total", "fields"}
        return not self.by_cursor and self.values.keys() <= answered

    def prepared(self, api: ApiClient, visible: int) -> "ListRequest":
        """Return the request with what depends on the directory, for a caller who may read `visible` models."""
        values, headers = dict(self.values), {}
        if self.deep:
            number = max(1, min(DEEPEST_PAGE, visible * 2 // (3 * PAGE_SIZE)))
            if self.by_cursor:
                # The page before ends where this one begins.
                before = {**self.values, "page": str(number - 1 or 1), "total": "none"}
                values["cursor"] = str(api.page(f"{LIST}?{urlencode(before, doseq=True)}")["next_cursor"])
            else:
                values["page"] = str(number)
        if self.of_first_page is not None:
            items = api.page(self.path)["items"]
            values[self.of_first_page] = (
                [item["id"] for item in items] if self.of_first_page == "id" else items[0]["user_id"]
            )
        if self.known:
            headers["If-None-Match"] = api.get(self.path).headers["etag"]
        return replace(self, values=values, headers=headers)


def _searches() -> Iterator[ListRequest]:
    words = f"{vocabulary.ADJECTIVES[0]} {vocabulary.ROLES[0]}"
    phrase = f'"{vocabulary.ADJECTIVES[0]} {vocabulary.SUBJECTS[0]}"'
    yield ListRequest(ABSENT, {"query": vocabulary.ABSENT}, literal=True)
    yield ListRequest("absent phrase", {"query": f'"{vocabulary.ABSENT_PHRASE}"'}, literal=True)
    yield ListRequest(RARE, {"query": vocabulary.RARE[0]}, literal=True)
    yield ListRequest("common word", {"query": vocabulary.COMMON}, literal=True)
    yield ListRequest("two words", {"query": words})
    yield ListRequest("phrase", {"query": phrase})
    yield ListRequest("two letters", {"query": vocabulary.TWO_LETTERS}, literal=True)
    yield ListRequest("surname", {"query": vocabulary.SURNAME}, literal=True)
    yield ListRequest("email domain", {"query": vocabulary.EVERYWHERE}, literal=True)
    yield ListRequest("in=description", {"query": vocabulary.IN_DESCRIPTIONS, "in": "description"})
    yield ListRequest("relevance", {"query": vocabulary.COMMON, "order_by": "relevance"})


def _requests() -> Iterator[ListRequest]:
    yield ListRequest(FIRST_PAGE, literal=True)
    yield ListRequest(UNCOUNTED, {"total": "none"})
    yield ListRequest("304", known=True)
    yield ListRequest("fields", {"fields": "name,user,meta.description"})
    yield ListRequest("page 10", {"page": "10"}, literal=True)
    yield ListRequest("deep page", deep=True)
    yield ListRequest("deep, no total", {"total": "none"}, deep=True)
    yield ListRequest(BY_CURSOR, deep=True, by_cursor=True)
    yield ListRequest(BY_CURSOR_UNCOUNTED, {"total": "none"}, deep=True, by_cursor=True)
    yield ListRequest("name order", {"order_by": "name", "direction": "asc"}, literal=True)
    yield ListRequest("view created", {"view_option": "created"}, literal=True)
    yield ListRequest("view shared", {"view_option": "shared"}, literal=True)
    yield ListRequest("kind=base", {"kind": "base"}, literal=True)
    yield ListRequest("is_active=false", {"is_active": "false"}, literal=True)
    yield ListRequest("batch by id", of_first_page="id")
    yield ListRequest("tag", {"tag": vocabulary.TAG}, literal=True)
    yield ListRequest("several tags", {"tag": [vocabulary.TAG, vocabulary.OTHER_TAG]})
    yield ListRequest("owner", of_first_page="owner")
    yield ListRequest("group", {"group": group_id(0)})
    yield ListRequest("base model", {"base_model_id": vocabulary.BASE_MODELS[0]})
    yield ListRequest("capability", {"capability": vocabulary.CAPABILITY})
    yield ListRequest("updated_since", {"updated_since": str(NEWEST - WEEK)})
    yield from _searches()
    for facet in FACETS:
        yield ListRequest(f"facet {facet}", {"facets": facet})
    yield ListRequest(ALL_FACETS, {"facets": ",".join(FACETS)})


LIST_REQUESTS = tuple(_requests())


def case_key(caller: str, case: str) -> str:
    """Return the name of a request of one user among all."""
    return f"{caller}, {case}"
