"""Where a file has models of a LiteLLM proxy: its configuration, alone or inside other files, and its answers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from service.importing.file_head import NO_FIT, FileHead, Fit, share_of
from service.importing.parts import Part
from service.importing.source import SourceError
from service.importing.yaml_file import yaml_documents

MODELS, INCLUDE = "model_list", "include"
NAME, PARAMS, INFO = "model_name", "litellm_params", "model_info"
# The answer of `GET /model/info` has its models in a list of this name.
ANSWER, PAGES = "data", "total_pages"
# Other parts of a configuration, one of which tells that a file with nothing but includes is one.
_SECTIONS = ("litellm_settings", "general_settings", "router_settings", "environment_variables", "callback_settings")
_IN_TEXT = re.compile(rf"^(?:[ \t]*\{{[ \t]*)?([\"']?){MODELS}\1[ \t]*:(?=\s|\Z)", re.MULTILINE)
_YAML_NAME = re.compile(r"[^\n]{1,200}\.ya?ml")
MAX_LISTS, MAX_DEPTH, MAX_VISITED = 1000, 8, 20_000


@dataclass(frozen=True, slots=True)
class ModelList:
    """The models of one proxy: where in the file they are, the files that it includes, and what is beside the list.

    `pages` is how many pages an answer has, of which the file holds one.
    """

    path: str
    entries: list[Part]
    includes: list[Any] = field(default_factory=list)
    beside: tuple[str, ...] = ()
    pages: int = 1


def find_lists(documents: list[Part], most_values: int) -> list[ModelList]:
    """Return every list of models in the documents of a file: at the top, in a part of it, or in a text of it.

    So a list is found in Helm values and in a ConfigMap too. Raises SourceError when there are too many, or one is no
    list.
    """
    search = _Search(most_values)
    found: list[ModelList] = []
    for document in documents:
        for one in search.lists(document, "", 0):
            found.append(one)
            if len(found) > MAX_LISTS:
                raise SourceError(f"has more than {MAX_LISTS:,} lists of models")
    return found


def fits_lists(head: FileHead, most_values: int) -> Fit:
    """Return how well a file fits: most entries of its lists have the fields of a model of a proxy."""
    try:
        lists = find_lists(head.documents, most_values)
    except SourceError:
        lists = []
    if not lists:
        # The reader says what is wrong with a file that can't be read.
        as_text = not head.elements and not head.members and _IN_TEXT.search(head.text)
        return Fit(1.0, f"YAML with a {MODELS}: a configuration of LiteLLM's proxy") if as_text else NO_FIT
    entries = [part for one in lists for part in one.entries][:100]
    share = share_of(entries, is_entry) if entries else 1.0
    if lists[0].path == MODELS:
        # The name alone tells, so that the reader explains what is wrong with the entries.
        share = 0.5 + share / 2
    where = f"{'JSON' if head.members or head.elements else 'YAML'} with {_named(lists[0])}"
    return Fit(share, f"{where}: {'an answer' if lists[0].path == ANSWER else 'a configuration'} of LiteLLM's proxy")


def is_entry(part: Part) -> bool:
    """Return whether a part of a file has the fields of a model of a proxy."""
    members = _members(part)
    return NAME in members or PARAMS in members


def _named(found: ModelList) -> str:
    if found.path.endswith(MODELS):
        return f"a {found.path}"
    if found.includes and not found.entries:
        return "included files"
    return f"models in {found.path}" if found.path else f"a list of {NAME}s"


class _Search:
    """Looks for lists of models, within bounds."""

    def __init__(self, most_values: int) -> None:
        self._most_values = most_values
        self._visited = 0

    def lists(self, part: Part, path: str, depth: int) -> Iterator[ModelList]:
        self._visited += 1
        if self._visited > MAX_VISITED or depth > MAX_DEPTH:
            return
        members = part.members()
        if members is not None:
            yield from self._in_members(members, path, depth)
        elif (text := part.text()) is not None:
            if _IN_TEXT.search(text) and depth:
                for document in yaml_documents(text, self._most_values, part.text_line()):
                    yield from self.lists(document, f"{path}: ", depth + 1)
        else:
            elements = part.elements() or []
            if not depth and any(map(is_entry, elements[:20])):
                yield ModelList(path, elements)
                return
            for number, element in enumerate(elements):
                yield from self.lists(element, f"{path}[{number}]", depth + 1)

    def _in_members(self, members: dict[str, Part], path: str, depth: int) -> Iterator[ModelList]:
        prefix = path if not path or path.endswith(" ") else f"{path}."
        if MODELS in members or _includes_only(members):
            yield _configuration(members, prefix)
        elif not depth and ANSWER in members and any(map(is_entry, (members[ANSWER].elements() or [])[:20])):
            beside = tuple(name for name in members if name != ANSWER)
            yield ModelList(ANSWER, members[ANSWER].elements() or [], beside=beside, pages=_pages(members))
        else:
            for name, member in members.items():
                yield from self.lists(member, f"{prefix}{name}", depth + 1)


def _configuration(members: dict[str, Part], prefix: str) -> ModelList:
    entries = members[MODELS].elements() if MODELS in members else []
    if entries is None:
        line = members[MODELS].line
        raise SourceError(f"{'' if line is None else f'line {line}: '}{prefix}{MODELS} must be a list")
    includes = members[INCLUDE].entry().value if INCLUDE in members else []
    beside = tuple(name for name in members if name not in (MODELS, INCLUDE))
    return ModelList(f"{prefix}{MODELS}", entries, includes if isinstance(includes, list) else [includes], beside)


def _includes_only(members: dict[str, Part]) -> bool:
    if INCLUDE not in members:
        return False
    names = [part.text() for part in members[INCLUDE].elements() or [members[INCLUDE]]]
    if not names or not all(name and _YAML_NAME.fullmatch(name) for name in names):
        return False
    return len(members) == 1 or any(name in members for name in _SECTIONS)


def _pages(members: dict[str, Part]) -> int:
    pages = members[PAGES].entry().value if PAGES in members else 1
    return pages if isinstance(pages, int) else 1


def _members(part: Part) -> dict[str, Part]:
    try:
        return part.members() or {}
    except SourceError:
        # An entry with a name that is given twice is reported when it is read.
        return {NAME: part}
