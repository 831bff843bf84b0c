"""The ledger finds lost, duplicated and inconsistent writes: otherwise the fault tests prove nothing."""

from faults.workload.ledger import Attempt, Stored, compare, count_statuses, recovery_seconds, slowest_answer


def create(number: int, status: int | None = 200, **fields: float) -> Attempt:
    version = 1 if status == 200 else None
    return Attempt(
        f"m{number}", f"m{number} new", None, fields.get("sent", 0.0), fields.get("seconds"), status, version
    )


def update(number: int, expected: int, status: int | None = 200) -> Attempt:
    version = expected + 1 if status == 200 else None
    return Attempt(f"m{number}", f"m{number} from {expected}", expected, 0.0, 0.1, status, version)


SENT = [create(1), update(1, 1), create(2), create(3, 503), create(4, None), update(2, 1, 504)]
RIGHT = Stored(
    {"m1": (2, "m1 from 1"), "m2": (1, "m2 new")},
    [("m1", 1, "m1 new"), ("m1", 2, "m1 from 1"), ("m2", 1, "m2 new")],
)


def changed(models: dict[str, tuple[int, str] | None], *revisions: tuple[str, int, str]) -> Stored:
    all_models = {**RIGHT.models, **models}
    return Stored({key: value for key, value in all_models.items() if value}, [*RIGHT.revisions, *revisions])


def without(*revisions: tuple[str, int, str], **models: tuple[int, str] | None) -> Stored:
    all_models = {**RIGHT.models, **models}
    kept = [revision for revision in RIGHT.revisions if revision not in revisions]
    return Stored({key: value for key, value in all_models.items() if value}, kept)


def test_consistent_answers_have_no_problems() -> None:
    comparison = compare(SENT, RIGHT)
    assert comparison.problems == []
    assert (comparison.acknowledged, comparison.unacknowledged_applied) == (3, 0)


def test_an_unacknowledged_write_may_be_stored_once() -> None:
    applied = changed({"m4": (1, "m4 new"), "m2": (2, "m2 from 1")}, ("m4", 1, "m4 new"), ("m2", 2, "m2 from 1"))
    comparison = compare(SENT, applied)
    assert comparison.problems == []
    assert comparison.unacknowledged_applied == 2


def test_a_write_that_was_refused_and_is_stored_is_found() -> None:
    assert compare(SENT, changed({"m3": (1, "m3 new")}, ("m3", 1, "m3 new"))).inconsistent


def test_a_lost_new_model_is_found() -> None:
    assert compare(SENT, without(("m2", 1, "m2 new"), m2=None)).lost


def test_a_lost_update_is_found() -> None:
    assert compare(SENT, without(("m1", 2, "m1 from 1"), m1=(1, "m1 new"))).lost


def test_a_model_at_an_older_version_is_found_even_if_its_history_is_complete() -> None:
    assert compare(SENT, changed({"m1": (1, "m1 new")})).lost


def test_a_lost_model_is_found_even_if_its_history_is_complete() -> None:
    assert compare(SENT, changed({"m2": None})).lost


def test_everything_lost_is_counted() -> None:
    lost = compare([create(number) for number in range(50)], Stored({}, []))
    assert len({sentence.split()[0] for sentence in lost.lost}) == 50


def test_a_write_that_was_applied_twice_is_found() -> None:
    twice = changed({"m1": (3, "m1 from 1")}, ("m1", 3, "m1 from 1"))
    assert compare(SENT, twice).duplicated


def test_an_unacknowledged_write_that_was_applied_twice_is_found() -> None:
    twice = changed({"m4": (2, "m4 new")}, ("m4", 1, "m4 new"), ("m4", 2, "m4 new"))
    assert compare(SENT, twice).duplicated


def test_a_revision_that_is_stored_twice_is_found() -> None:
    assert compare(SENT, changed({}, ("m2", 1, "m2 new"))).duplicated


def test_a_model_that_contradicts_its_history_is_found() -> None:
    assert compare(SENT, changed({"m1": (3, "m1 from 1")})).inconsistent
    assert compare(SENT, changed({"m1": (2, "something else")})).inconsistent
    assert compare(SENT, without(("m1", 1, "m1 new"))).inconsistent
    assert compare(SENT, changed({"m4": (1, "m4 new")})).inconsistent
    assert compare(SENT, changed({}, ("m4", 1, "m4 new"))).inconsistent


def test_a_write_that_was_never_sent_is_found() -> None:
    assert compare(SENT, changed({"m9": (1, "x")}, ("m9", 1, "x"))).inconsistent


def test_an_update_that_overtook_another_is_found() -> None:
    sent = [create(1), update(1, 1), Attempt("m1", "other", 1, 0.0, 0.1, 200, 3)]
    both = Stored({"m1": (3, "other")}, [("m1", 1, "m1 new"), ("m1", 2, "m1 from 1"), ("m1", 3, "other")])
    assert compare(sent, both).inconsistent


def test_an_answer_with_another_version_is_found() -> None:
    assert compare(
        [Attempt("m1", "n", None, 0.0, 0.1, 200, 2)], Stored({"m1": (1, "n")}, [("m1", 1, "n")])
    ).inconsistent


def test_statuses_are_counted_and_the_slowest_answer_found() -> None:
    assert count_statuses(SENT) == {200: 3, 503: 1, None: 1, 504: 1}
    assert slowest_answer(SENT) == 0.1
    assert slowest_answer([]) == 0.0


def answered_at(*sent: float, status: int = 200, seconds: float = 0.1) -> list[Attempt]:
    return [create(number, status, sent=moment, seconds=seconds) for number, moment in enumerate(sent)]


def seconds_until(attempts: list[Attempt], until: float = 50.0) -> float | None:
    return recovery_seconds(attempts, 10.0, until, prompt=1.0, window=2.0)


def test_recovery_is_the_first_write_after_which_writes_are_prompt() -> None:
    refused = answered_at(9.0, 10.5, 11.0, 12.0, status=503)
    slow = answered_at(13.0, seconds=3.0)
    good = answered_at(14.0, 15.0, 16.0, 17.0)
    assert seconds_until([*refused, *slow, *good]) == 4.0
    assert seconds_until(good[::-1]) == 4.0


def test_one_success_among_refusals_is_no_recovery() -> None:
    assert seconds_until([*answered_at(11.0), *answered_at(12.0, 13.0, 14.0, status=503)]) is None


def test_one_refusal_among_many_successes_does_not_delay_recovery() -> None:
    good = answered_at(*(10 + number / 100 for number in range(1000)))
    assert seconds_until([*good, *answered_at(10.5, status=503)], until=15.0) == 0.0


def test_recovery_needs_enough_time_after_it() -> None:
    assert seconds_until(answered_at(11.0, 11.5), until=12.5) is None
