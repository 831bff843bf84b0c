"""Where a file has models of a LiteLLM proxy: its configuration, alone or inside other files, and its answers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from service.importing.file_head import NO_FIT, FileHead, Fit, share_of
from service.importing.parts import Part
from service.importing.readers.kept_files import is_kept_file, may_be_script
from service.importing.readers.redact import safe_name
from service.importing.source import SourceError
from service.importing.yaml_file import YamlBoundsError, counted_documents

MODELS, INCLUDE = "model_list", "include"
NAME, PARAMS, INFO = "model_name", "litellm_params", "model_info"
# The answer of `GET /model/info` has its models in a list of this name.
ANSWER, PAGES = "data", "total_pages"
# The part of Helm values that is the configuration of the proxy.
IN_HELM_VALUES = "proxy_config"
# Other parts of a configuration, one of which tells that a file with nothing but includes is one.
_SECTIONS = ("litellm_settings", "general_settings", "router_settings", "environment_variables", "callback_settings")
# What is below these names in a schema or the documentation of an interface explains something, and is no data.
_EXPLAINING = ("example", "examples", "properties")
_YAML_NAME = re.compile(r"[^\n]{1,200}\.ya?ml")
MAX_LISTS, MAX_DEPTH, MAX_VISITED = 1000, 100, 1_000_000
# To recognise a file, less is enough.
_MAX_VISITED_OF_HEAD = 200_000
_MAX_NOTES, _MAX_PATH_LENGTH = 100, 1000
# Few values are shorter, with what is around them.
_CHARACTERS_OF_VALUE = 4

# A list of models at the beginning of a line (`model_list:`, `"model_list":`, `{model_list:`).
_AT_TOP = re.compile(rf"^(?:\{{[ \t]*)?([\"']?){MODELS}\1[ \t]*:(?=\s|\Z)", re.MULTILINE)
# The same anywhere in a line: `  model_list:` of Helm values, `{"a": 1, "model_list": []}`.
_ANYWHERE = re.compile(rf"(?<![\w-]){MODELS}[\"']?[ \t]*:(?=\s|\Z)")
# One or the other as the name of a part; `include mime.types;` of a web server is none.
_MAY_HAVE_MODELS = re.compile(rf"(?<![\w-])(?:{MODELS}|{INCLUDE})[\"']?[ \t]*:")
_WRAPPED = re.compile(rf"^(?:[ \t]*{IN_HELM_VALUES}[ \t]*:|kind:[ \t]*ConfigMap\b)", re.MULTILINE)
# How a line of YAML that is not indented can begin; prose and Markdown begin in other ways.
_LINE_OF_YAML = re.compile(r"[ \t\r]|\Z|#|---|\.\.\.|%|- |[{}\[\]]|[\w.\"'/-]{1,100}[ \t]*:(?:\s|\Z)")


@dataclass(frozen=True, slots=True)
class ModelList:
    """The models of one proxy: where in the file they are, the files that it includes, and what is beside the list.

    `pages` is how many pages an answer has, of which the file holds one. `notes` are remarks on the file around it.
    """

    path: str
    entries: list[Part]
    includes: list[Any] = field(default_factory=list)
    beside: tuple[str, ...] = ()
    pages: int = 1
    notes: tuple[str, ...] = ()


def find_lists(documents: list[Part], most_values: int) -> list[ModelList]:
    """Return every list of models in the documents of a file: at the top, in a part of it, or in a file that it keeps.

    So a list is found in Helm values and in a ConfigMap too. The YAML in all of the kept files may have `most_values`.
    Raises SourceError when there are too many lists, one is no list, or not all of the file could be searched.
    """
    search = _Search(most_values, MAX_VISITED)
    search.run(documents)
    if not search.found and search.unread:
        raise SourceError(search.unread[0])
    if search.found and search.unread:
        more = len(search.unread) - _MAX_NOTES
        notes = [f"{problem}, so it was not searched" for problem in search.unread[:_MAX_NOTES]]
        notes += [f"{more:,} more texts were not searched"] if more > 0 else []
        search.found[0] = replace(search.found[0], notes=(*search.found[0].notes, *notes))
    return search.found


def fits_lists(head: FileHead, most_values: int) -> Fit:
    """Return how well a file fits: most entries of its lists have the fields of a model of a proxy."""
    search = _Search(most_values, _MAX_VISITED_OF_HEAD)
    unreadable = False
    try:
        search.run(head.documents)
    except SourceError:
        unreadable = True
    is_json = bool(head.members or head.elements)
    if not search.found:
        # The reader says what is wrong with a file that can't be read.
        if not is_json and _begins_like_yaml(head.text):
            return Fit(1.0, f"YAML with a {MODELS}: a configuration of LiteLLM's proxy")
        if search.unread:
            return Fit(0.6, f"a file that keeps another, which has a {MODELS} and can't be read")
        return _near(head, unreadable=unreadable)
    return _fit_of(search.found, "JSON" if is_json else "YAML")


def _near(head: FileHead, *, unreadable: bool) -> Fit:
    if unreadable and MODELS in head.text:
        return Fit(0.4, f"a file with a {MODELS} that can't be read")
    if any(isinstance(record, dict) and NAME in record for record in (*head.elements, *head.listed(ANSWER))):
        return Fit(0.1, f"JSON with {NAME}s, but without {PARAMS}")
    return NO_FIT


def _fit_of(lists: list[ModelList], language: str) -> Fit:
    first = lists[0]
    entries = [part for one in lists for part in one.entries][:100]
    share = share_of(entries, is_entry) if entries else 1.0
    if f".{first.path}".endswith((f".{IN_HELM_VALUES}.{MODELS}", f" {MODELS}")) or first.path == MODELS:
        # The name alone tells, so that the reader explains what is wrong with the entries.
        share = 0.5 + share / 2
    if first.includes and not entries and not first.beside:
        # Other systems have files with nothing else.
        return Fit(0.4, f"{language} with an {INCLUDE} alone, without any other part of a configuration of LiteLLM")
    kind = "an answer" if first.path == ANSWER else "a configuration"
    return Fit(share, f"{language} with {_named(first)}: {kind} of LiteLLM's proxy")


def is_entry(part: Part) -> bool:
    """Return whether a part of a file has the fields of a model of a proxy."""
    try:
        members = part.members() or {}
    except SourceError:
        # A name is given twice; the reader reports that with its line.
        return True
    return NAME in members and PARAMS in members


def _begins_like_yaml(text: str) -> bool:
    """Return whether a text has a list of models, and what is before it looks like YAML.

    It can't be parsed, or only its beginning is known.
    """
    found = _AT_TOP.search(text) or (_ANYWHERE.search(text) if _WRAPPED.search(text) else None)
    return found is not None and all(map(_LINE_OF_YAML.match, text[: found.start()].split("\n")))


def _named(found: ModelList) -> str:
    if found.includes and not found.entries:
        return "included files"
    if found.path.endswith(MODELS):
        return f"a {found.path[:100]}"
    return f"models in {found.path[:100]}" if found.path else f"{NAME} and {PARAMS}"


# The names and numbers that lead to a part of a file; None stands for the step into a file that is kept as text.
_Path = tuple[str | int | None, ...]


def _written(path: _Path) -> str:
    written = ""
    for step in path:
        if step is None:
            written += ": "
        elif isinstance(step, int):
            written += f"[{step}]"
        else:
            written += f"{'.' if written and not written.endswith(' ') else ''}{safe_name(step)}"
    return written[:_MAX_PATH_LENGTH]


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in a file: its path, the kind of the manifest in which it is, and where in the path that begins."""

    path: _Path = ()
    kind: str | None = None
    begins_at: int = 0

    def below(self, step: str | int) -> "_Place":
        return _Place((*self.path, step), self.kind, self.begins_at)

    def in_manifest(self, kind: str) -> "_Place":
        return _Place(self.path, kind, len(self.path))

    @property
    def keeps_file(self) -> bool:
        """Whether a text here is a file. A kept file keeps no others."""
        steps = tuple(step for step in self.path[self.begins_at :] if step is not None)
        return None not in self.path and is_kept_file(self.kind, steps)


class _Search:
    """Looks for lists of models in the parts of a file, and in the files that it keeps as text.

    `unread` says which kept files that seem to have a list are no YAML, and so may be scripts that write one.
    """

    def __init__(self, most_values: int, most_visited: int) -> None:
        self.found: list[ModelList] = []
        self.unread: list[str] = []
        self._values_left = most_values
        self._visits_left = most_visited

    def run(self, documents: list[Part]) -> None:
        """Look through the documents; raise SourceError as `find_lists` does."""
        for document in documents:
            for one in self._lists(document, _Place()):
                self.found.append(one)
                if len(self.found) > MAX_LISTS:
                    raise SourceError(f"has more than {MAX_LISTS:,} lists of models")

    def _lists(self, part: Part, place: _Place) -> Iterator[ModelList]:
        """Yield the lists in a part. What is in a configuration is not looked through any further."""
        self._visits_left -= 1
        if self._visits_left < 0 or len(place.path) > MAX_DEPTH:
            raise SourceError("not all of the file was searched for models: it has too many parts or is too deep")
        if (members := part.members()) is not None:
            yield from self._in_mapping(part, members, place)
        elif (text := part.text()) is not None:
            if place.keeps_file:
                yield from self._in_kept_file(text, part.text_line(), place)
        elif elements := part.elements():
            if not place.path and any(map(is_entry, elements[:20])):
                # Only a whole file is a router's list: inside of others, the name of the list has to say it.
                yield ModelList("", elements)
                return
            for number, element in enumerate(elements):
                yield from self._lists(element, place.below(number))

    def _in_mapping(self, part: Part, members: dict[str, Part], place: _Place) -> Iterator[ModelList]:
        if MODELS in members or _includes_only(members):
            yield _configuration(members, place)
        elif not place.path and NAME in members and PARAMS in members:
            yield ModelList("", [part])
        elif not place.path and ANSWER in members and any(map(is_entry, (members[ANSWER].elements() or [])[:20])):
            beside = tuple(name for name in members if name != ANSWER)
            yield ModelList(ANSWER, members[ANSWER].elements() or [], beside=beside, pages=_pages(members))
        else:
            kind = members["kind"].text() if "kind" in members else None
            inside = place if kind is None else place.in_manifest(kind)
            for name, member in members.items():
                if name not in _EXPLAINING:
                    yield from self._lists(member, inside.below(name))

    def _in_kept_file(self, text: str, first_line: int, place: _Place) -> Iterator[ModelList]:
        if not _MAY_HAVE_MODELS.search(text):
            return
        try:
            documents, values = counted_documents(text, self._values_left, first_line)
        except YamlBoundsError as error:
            raise SourceError(f"{_written(place.path)}: {error.detail}") from None
        except SourceError as error:
            # To find out has taken time too.
            self._values_left -= len(text) // _CHARACTERS_OF_VALUE
            if _ANYWHERE.search(text):
                self._not_read(f"{_written(place.path)}: no YAML ({error.detail})", place)
            return
        self._values_left -= values
        for document in documents:
            yield from self._lists(document, _Place((*place.path, None)))

    def _not_read(self, problem: str, place: _Place) -> None:
        self.unread.append(problem)
        if not may_be_script(place.kind, str(place.path[-1])):
            raise SourceError(problem)


def _configuration(members: dict[str, Part], place: _Place) -> ModelList:
    path = _written((*place.path, MODELS))
    entries = members[MODELS].elements() if MODELS in members else []
    if entries is None:
        line = members[MODELS].line
        raise SourceError(f"{'' if line is None else f'line {line}: '}{path} must be a list")
    includes = members[INCLUDE].entry().value if INCLUDE in members else []
    includes = includes if isinstance(includes, list) else [includes]
    beside = tuple(name for name in members if name not in (MODELS, INCLUDE))
    notes = () if entries or includes else (f"{path}: there are no models in it",)
    return ModelList(path, entries, includes, beside, notes=notes)


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
