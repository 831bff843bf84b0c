"""Why somebody may see a model: in a sentence, and as the steps of a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from documents.grant import Permission
from service.models.access.sharing import Path, PathKind
from service.web.words import isolated

MAY = {Permission.READ: "may read it", Permission.WRITE: "may change it"}


@dataclass(frozen=True, slots=True)
class Step:
    """A box of the picture, and how it leads to the next one."""

    kind: str
    name: str
    leads: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One way to a model."""

    sentence: str
    steps: Sequence[Step]


def tell(path: Path, person: str, groups: Mapping[str, str], *, you: bool = False) -> Told:
    """Return one way in which a person gets access; `groups` are the names of groups by id."""
    chain = [groups.get(group, group) for group in path.via]
    names, shown = [isolated(name) for name in chain], isolated(person)
    may = f"{'You' if you else shown} {MAY[path.permission]}"
    them, have, are = ("you", "have", "are") if you else (shown, "has", "is")
    who = Step("person", "You" if you else person)
    granted = Step("grant", MAY[path.permission].removesuffix(" it"), "for")
    match path.kind:
        case PathKind.OWNER:
            return Told(f"{may}: it belongs to {them}.", [_leading(who, "owns"), _MODEL])
        case PathKind.ADMIN:
            return Told(
                f"{may}: {them} {are} an admin, and admins may do everything.", [_leading(who, "as admin"), _MODEL]
            )
        case PathKind.USER:
            return Told(f"{may}: it is shared with {them}.", [_leading(who, f"{have} the grant"), granted, _MODEL])
        case PathKind.PUBLIC:
            everyone = Step("everyone", "Everyone", "has the grant")
            return Told(f"{may}: it is shared with everyone.", [_leading(who, "is one of"), everyone, granted, _MODEL])
        case _:
            return Told(
                _by_groups(may, them, are, names), [_leading(who, f"{are} in"), *_chain(chain), granted, _MODEL]
            )


_MODEL = Step("model", "This model")


def _leading(step: Step, leads: str) -> Step:
    return Step(step.kind, step.name, leads)


def _chain(names: Sequence[str]) -> list[Step]:
    last = len(names) - 1
    return [Step("group", name, "has the grant" if at == last else "belongs to") for at, name in enumerate(names)]


def _by_groups(may: str, them: str, are: str, names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{may}: it is shared with the group {names[0]}, and {them} {are} in it."
    between = "".join(f", which belongs to {name}" for name in names[1:])
    return f"{may}: it is shared with the group {names[-1]}. {them[:1].upper()}{them[1:]} {are} in {names[0]}{between}."


def best_first(paths: Sequence[Path]) -> list[Path]:
    """Return paths with those that allow most at the beginning."""
    return sorted(paths, key=lambda path: path.permission is not Permission.WRITE)


def about_prompt(*, can_read: bool, can_write: bool, readers_see_params: bool, person: str) -> str:
    """Return whether somebody sees the prompt, as a sentence."""
    them = "you" if person == "You" else isolated(person)
    if can_write:
        return f"So {them} {'see' if person == 'You' else 'sees'} the prompt too."
    if can_read and readers_see_params:
        return "Here, everyone who may read a model sees its prompt."
    if can_read:
        return f"The prompt stays hidden from {them}: only those who may change a model see it."
    return ""


Explained = Mapping[str, Any]
