"""Who was told what: every write that was sent, and whether what is stored afterwards agrees with its answer."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

# Of the writes after a recovery; a machine that does something else as well lets some wait.
SHARE = 0.95
# "Try again": whoever does must not find that it was done.
NOT_DONE = 503


@dataclass(slots=True)
class Attempt:
    """One write that was sent once: a new model, or an update that insists on a version.

    `name` is told by no other write. `status` is None while there is no answer, and when there was none.
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
        """Whether the service said that it is done."""
        return self.status is not None and 200 <= self.status < 300

    def is_prompt(self, seconds: float) -> bool:
        """Whether it was acknowledged within some seconds."""
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
class Verdict:
    """What does not agree, as sentences, and what was compared."""

    acknowledged: int = 0
    unknown_applied: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)

    @property
    def broken(self) -> list[str]:
        """Everything that is wrong."""
        kinds = (("lost", self.lost), ("applied twice", self.duplicated), ("torn", self.torn))
        return [f"{kind}: {told}" for kind, found in kinds for told in found]


def judge(attempts: Sequence[Attempt], stored: Stored) -> Verdict:
    """Compare what was answered with what is stored.

    An acknowledged write must be there once, one that can be tried again must not; any other may be there, once. A
    model's revisions must be the versions from 1 to the model's own, and the last of them what the model says.
    """
    verdict = Verdict()
    versions: dict[str, list[int]] = defaultdict(list)
    for _, version, name in stored.revisions:
        versions[name].append(version)
    known = {attempt.name for attempt in attempts}
    for attempt in attempts:
        _judge_attempt(attempt, versions.get(attempt.name, []), verdict)
    verdict.torn += [f"{name} was not sent" for name in versions if name not in known]
    verdict.torn += _unrecorded(stored)
    verdict.lost += _vanished(attempts, stored)
    return verdict


def _judge_attempt(attempt: Attempt, versions: Sequence[int], verdict: Verdict) -> None:
    verdict.acknowledged += attempt.acknowledged
    if len(versions) > 1:
        verdict.duplicated.append(f"{attempt} is versions {', '.join(map(str, versions))}")
    if attempt.acknowledged and not versions:
        verdict.lost.append(f"{attempt} was acknowledged and is not there")
    if not attempt.acknowledged and versions:
        verdict.unknown_applied += 1
        if attempt.status == NOT_DONE:
            verdict.torn.append(f"{attempt} was answered {NOT_DONE} and is there")
    made = (attempt.expected or 0) + 1
    if len(versions) == 1 and versions != [made]:
        verdict.torn.append(f"{attempt} made version {versions[0]}")
    if attempt.acknowledged and attempt.version != made:
        verdict.torn.append(f"{attempt} was answered with version {attempt.version}")


def _unrecorded(stored: Stored) -> Iterator[str]:
    """Yield what is wrong between models and their revisions."""
    histories: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for model_id, version, name in stored.revisions:
        histories[model_id].append((version, name))
    for model_id in sorted(histories.keys() | stored.models.keys()):
        history = sorted(histories[model_id])
        found = [version for version, _ in history]
        if found != list(range(1, len(found) + 1)):
            yield f"{model_id} has revisions {found}"
        elif model_id not in stored.models:
            yield f"{model_id} has revisions and is not there"
        elif history[-1:] != [stored.models[model_id]]:
            version, name = stored.models[model_id]
            yield f"{model_id} is version {version}, {name!r}, after {len(found)} revisions"


def _vanished(attempts: Sequence[Attempt], stored: Stored) -> Iterator[str]:
    """Yield the models that are behind what was acknowledged, whatever their revisions say."""
    least: dict[str, int] = {}
    for attempt in attempts:
        if attempt.acknowledged:
            least[attempt.model_id] = max(least.get(attempt.model_id, 0), (attempt.expected or 0) + 1)
    for model_id, version in least.items():
        there = stored.models.get(model_id, (0, ""))[0]
        if there < version:
            yield f"{model_id} was acknowledged as version {version} and is {there or 'not there'}"


def statuses(attempts: Sequence[Attempt]) -> Counter[int | None]:
    """Return how often each status was answered; None stands for no answer."""
    return Counter(attempt.status for attempt in attempts)


def slowest(attempts: Sequence[Attempt]) -> float:
    """Return the seconds that the slowest answer took."""
    return max((attempt.seconds or 0.0 for attempt in attempts), default=0.0)


def recovery(attempts: Sequence[Attempt], struck: float, until: float, *, prompt: float, window: float) -> float | None:
    """Return after how many seconds writes were acknowledged again; None when they were not until then.

    That is the first write after the blow from which on, for a while, all but one in twenty were acknowledged soon.
    """
    later = sorted((attempt.sent, attempt.is_prompt(prompt)) for attempt in attempts if struck <= attempt.sent <= until)
    good = end = 0
    for begin, (sent, is_prompt) in enumerate(later):
        while end < len(later) and later[end][0] < sent + window:
            good += later[end][1]
            end += 1
        if sent + window > until:
            return None
        if is_prompt and good >= SHARE * (end - begin):
            return sent - struck
        good -= is_prompt
    return None
