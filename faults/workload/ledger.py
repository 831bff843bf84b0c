"""Every write that was sent with its answer, compared with what is stored afterwards."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from faults.environment.service import REQUEST_TIMEOUT_SECONDS

# No answer may take longer than this: the request timeout and a margin.
MAX_ANSWER_SECONDS = REQUEST_TIMEOUT_SECONDS + 0.5
# 503: not possible now and not applied. 504: no answer in time, perhaps applied.
NOT_APPLIED = 503
REFUSALS = {NOT_APPLIED, 504}
# Share of the writes after a recovery that must be prompt; other work on the machine may delay the rest.
PROMPT_SHARE = 0.95


@dataclass(slots=True)
class Attempt:
    """One write that was sent once: a new model, or an update with the `If-Match` of a version.

    `name` is different for each write. `sent` is a monotonic time. `status` is None until there is an answer, and
    stays None if there is none.
    """

    model_id: str
    name: str
    expected: int | None
    sent: float
    seconds: float | None = None
    status: int | None = None
    version: int | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the service answered that the write was done."""
        return self.status is not None and 200 <= self.status < 300

    def is_prompt(self, seconds: float) -> bool:
        """Whether the write was acknowledged within `seconds`."""
        return self.acknowledged and self.seconds is not None and self.seconds <= seconds

    def __str__(self) -> str:
        kind = "created" if self.expected is None else f"updated from version {self.expected}"
        return f"{self.model_id} {kind}"


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database holds: version and name of each model, and model, version and name of each revision."""

    models: Mapping[str, tuple[int, str]]
    revisions: Sequence[tuple[str, int, str]]


@dataclass(slots=True)
class Comparison:
    """How many writes were acknowledged, or applied without being acknowledged, and each contradiction as a sentence.

    `inconsistent` are answers and stored records that contradict each other although nothing is lost or applied twice.
    """

    acknowledged: int = 0
    unacknowledged_applied: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    inconsistent: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """All contradictions, each with its kind."""
        kinds = (("lost", self.lost), ("applied twice", self.duplicated), ("inconsistent", self.inconsistent))
        return [f"{kind}: {sentence}" for kind, sentences in kinds for sentence in sentences]


def compare(attempts: Sequence[Attempt], stored: Stored) -> Comparison:
    """Compare the answers with what is stored.

    An acknowledged write must be stored once, and one that was answered 503 must not be stored; any other may be
    stored, once. The revisions of a model must be the versions from 1 to the model's own, and the last of them must
    equal the model.
    """
    comparison = Comparison()
    versions: dict[str, list[int]] = defaultdict(list)
    for _, version, name in stored.revisions:
        versions[name].append(version)
    sent = {attempt.name for attempt in attempts}
    for attempt in attempts:
        _compare_attempt(attempt, versions.get(attempt.name, []), comparison)
    comparison.inconsistent += [f"{name} was never sent" for name in versions if name not in sent]
    comparison.inconsistent += _history_problems(stored)
    comparison.lost += _outdated_models(attempts, stored)
    return comparison


def _compare_attempt(attempt: Attempt, versions: Sequence[int], comparison: Comparison) -> None:
    comparison.acknowledged += attempt.acknowledged
    if len(versions) > 1:
        comparison.duplicated.append(f"{attempt} is stored as the versions {', '.join(map(str, versions))}")
    if attempt.acknowledged and not versions:
        comparison.lost.append(f"{attempt} was acknowledged and is not stored")
    if not attempt.acknowledged and versions:
        comparison.unacknowledged_applied += 1
        if attempt.status == NOT_APPLIED:
            comparison.inconsistent.append(f"{attempt} was answered {NOT_APPLIED} and is stored")
    due = (attempt.expected or 0) + 1
    if len(versions) == 1 and versions != [due]:
        comparison.inconsistent.append(f"{attempt} is stored as version {versions[0]}")
    if attempt.acknowledged and attempt.version != due:
        comparison.inconsistent.append(f"{attempt} was answered with version {attempt.version}")


def _history_problems(stored: Stored) -> Iterator[str]:
    """Yield the contradictions between models and their revisions."""
    histories: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for model_id, version, name in stored.revisions:
        histories[model_id].append((version, name))
    for model_id in sorted(histories.keys() | stored.models.keys()):
        history = sorted(histories[model_id])
        found = [version for version, _ in history]
        if found != list(range(1, len(found) + 1)):
            yield f"{model_id} has the revisions {found}"
        elif model_id not in stored.models:
            yield f"{model_id} has revisions but is not stored"
        elif history[-1:] != [stored.models[model_id]]:
            version, name = stored.models[model_id]
            yield f"{model_id} is version {version}, {name!r}, after {len(found)} revisions"


def _outdated_models(attempts: Sequence[Attempt], stored: Stored) -> Iterator[str]:
    """Yield the models that are older than their last acknowledged write, whatever their revisions are."""
    acknowledged: dict[str, int] = {}
    for attempt in attempts:
        if attempt.acknowledged:
            version = (attempt.expected or 0) + 1
            acknowledged[attempt.model_id] = max(acknowledged.get(attempt.model_id, 0), version)
    for model_id, version in acknowledged.items():
        found = stored.models.get(model_id, (0, ""))[0]
        if found < version:
            yield f"{model_id} was acknowledged as version {version} and is {found or 'not stored'}"


def count_statuses(attempts: Sequence[Attempt]) -> Counter[int | None]:
    """Return how often each status was answered; None stands for no answer."""
    return Counter(attempt.status for attempt in attempts)


def slowest_answer(attempts: Sequence[Attempt]) -> float:
    """Return how many seconds the slowest answer took."""
    return max((attempt.seconds or 0.0 for attempt in attempts), default=0.0)


def late_answers(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return the writes whose answer took longer than it may."""
    return [attempt for attempt in attempts if (attempt.seconds or 0.0) > MAX_ANSWER_SECONDS]


def answer_problems(attempts: Sequence[Attempt]) -> list[str]:
    """Return what is wrong with the answers: statuses other than 2xx, 503 or 504, missing answers, and late ones."""
    counts = count_statuses(attempts).items()
    wrong = {status: count for status, count in counts if not _is_allowed(status)}
    problems = [f"{count:,} answered {status or 'not at all'}" for status, count in wrong.items()]
    if late := late_answers(attempts):
        slowest = slowest_answer(attempts)
        problems.append(f"{len(late):,} answers took more than {MAX_ANSWER_SECONDS} s, the slowest {slowest:.1f} s")
    return problems


def _is_allowed(status: int | None) -> bool:
    return status is not None and (200 <= status < 300 or status in REFUSALS)


def recovery_seconds(
    attempts: Sequence[Attempt], fault: float, until: float, *, prompt: float, window: float
) -> float | None:
    """Return how many seconds after a fault writes were acknowledged again; None if they were not before `until`.

    That is the time of the first prompt write after which, for `window` seconds, 95 % of the writes were acknowledged
    within `prompt` seconds each. `fault` and `until` are monotonic times.
    """
    later = sorted((attempt.sent, attempt.is_prompt(prompt)) for attempt in attempts if fault <= attempt.sent <= until)
    good = end = 0
    for begin, (sent, is_prompt) in enumerate(later):
        while end < len(later) and later[end][0] < sent + window:
            good += later[end][1]
            end += 1
        if sent + window > until:
            return None
        if is_prompt and good >= PROMPT_SHARE * (end - begin):
            return sent - fault
        good -= is_prompt
    return None
