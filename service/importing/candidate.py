"""A model that is to be imported, on its way from the source to the database."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from documents.image import IMAGE, image_problem
from service.importing.plan import Decision, ImportOptions
from service.importing.records import ImportedModel
from service.models.fingerprints import Fingerprints, Path
from service.models.record import CONTENT_FIELDS, Content


@dataclass(frozen=True, slots=True)
class Hints:
    """What was found out about a model besides its content when it was read; the fields are as in `Item`."""

    former_id: str | None = None
    group_names: Sequence[tuple[str, str]] = ()
    users_there: Sequence[tuple[str, str]] = ()


@dataclass(slots=True)
class Candidate:
    """A model of a source: where it stands there, its content and times, and what is known of its record here.

    `former_id` is a regular expression for the ids that earlier versions gave such a model. `record_id` is the id of
    its record, which is another one than in the source if `adopted`, now or by an earlier import. `formerly` is the id
    of a record that seems to be this model and is not taken over. `decision` is what was decided on it. `users_there`
    has the ids that the source has for users in its grants, by their ids here where these differ. `unbrought` has the
    paths in the source of grants that can't be given here. With `owner_unknown`, the source names an owner who is not
    here; with `keeps_owner`, the record has one who is here, and keeps them.
    """

    position: str
    model: ImportedModel
    content: dict[str, Any]
    record_id: str
    former_id: str | None = None
    adopted: bool = False
    formerly: str | None = None
    decision: Decision | None = None
    owner_unknown: bool = False
    keeps_owner: bool = False
    users_there: Mapping[str, Collection[str]] = field(default_factory=dict)
    unbrought: list[Path] = field(default_factory=list)

    @classmethod
    def of(cls, position: str, model: ImportedModel, options: ImportOptions, hints: Hints) -> Self:
        """Return the candidate for a model as the source has it."""
        there = defaultdict[str, list[str]](list)
        for here, other in hints.users_there:
            there[here].append(other)
        return cls(position, model, _content(model, options), model.id, hints.former_id, users_there=there)

    @property
    def said(self) -> dict[str, Any]:
        """The content that the source gives, without times."""
        given = self.given
        return {name: given[name] for name in CONTENT_FIELDS if name in given}

    @property
    def given(self) -> dict[str, Any]:
        """The content and times for its record, if it exists; a new one gets all of `content`."""
        return {name: value for name, value in self.content.items() if name != "user_id" or not self.keeps_owner}

    def fingerprints(self, last: Fingerprints) -> Fingerprints:
        """Return the fingerprints of what the source says now, given those that are stored."""
        return Fingerprints.of(self.said, last, self.users_there).following(last, self.unbrought)

    def first_fingerprints(self, stored: Content) -> Fingerprints:
        """Return the fingerprints for a record that is made or taken over; `stored` is its whole content then.

        What the source does not mention counts as it is stored, so that a later change of it by people shows.
        """
        said = self.said
        unsaid = {name: stored[name] for name in CONTENT_FIELDS if name not in said}
        return Fingerprints.of(said, None, self.users_there).following(Fingerprints.of(unsaid))

    def without_unsafe_image(self) -> str | None:
        """Leave an unsafe image out of the content, and return what is wrong with it; None without one."""
        meta = self.model.meta
        problem = image_problem(meta.get(IMAGE))
        if problem:
            self.content["meta"] = {name: value for name, value in meta.items() if name != IMAGE}
        return f"meta.{IMAGE}: {problem}" if problem else None


def _content(model: ImportedModel, options: ImportOptions) -> dict[str, Any]:
    content: dict[str, Any] = {
        "base_model_id": model.base_model_id,
        "name": model.name,
        "meta": model.meta,
        "access_grants": [grant.model_dump() for grant in model.access_grants],
        "is_active": model.is_active,
    }
    # An existing record keeps its owner, unless the source names one, and its params, which an export leaves out where
    # its reader may not see them.
    if model.user_id is not None and not options.mine:
        content["user_id"] = model.user_id
    if "params" in model.model_fields_set:
        content["params"] = model.params
    times = {"created_at": model.created_at, "updated_at": model.updated_at} if options.trusted else {}
    return content | {name: moment for name, moment in times.items() if moment is not None}
