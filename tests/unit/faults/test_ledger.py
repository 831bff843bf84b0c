"""A ledger that can't find a lost, a repeated or a torn write proves nothing."""

from faults.ledger import Attempt, Stored, judge, recovery, slowest, statuses


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
    there = {**RIGHT.models, **models}
    return Stored({key: value for key, value in there.items() if value}, [*RIGHT.revisions, *revisions])


def without(*revisions: tuple[str, int, str], **models: tuple[int, str] | None) -> Stored:
    there = {**RIGHT.models, **models}
    kept = [revision for revision in RIGHT.revisions if revision not in revisions]
    return Stored({key: value for key, value in there.items() if value}, kept)


def test_what_agrees_is_not_accused() -> None:
    verdict = judge(SENT, RIGHT)
    assert verdict.broken == []
    assert (verdict.acknowledged, verdict.unknown_applied) == (3, 0)


def test_a_write_of_unknown_outcome_may_be_there_once() -> None:
    applied = changed({"m4": (1, "m4 new"), "m2": (2, "m2 from 1")}, ("m4", 1, "m4 new"), ("m2", 2, "m2 from 1"))
    verdict = judge(SENT, applied)
    assert verdict.broken == []
    assert verdict.unknown_applied == 2


def test_a_write_that_is_there_though_it_can_be_tried_again_is_found() -> None:
    assert judge(SENT, changed({"m3": (1, "m3 new")}, ("m3", 1, "m3 new"))).torn


def test_a_lost_new_model_is_found() -> None:
    assert judge(SENT, without(("m2", 1, "m2 new"), m2=None)).lost


def test_a_lost_update_is_found() -> None:
    assert judge(SENT, without(("m1", 2, "m1 from 1"), m1=(1, "m1 new"))).lost


def test_a_model_that_went_back_is_found_even_where_its_history_is_whole() -> None:
    assert judge(SENT, changed({"m1": (1, "m1 new")})).lost


def test_a_lost_model_is_found_even_where_its_history_is_whole() -> None:
    assert judge(SENT, changed({"m2": None})).lost


def test_everything_lost_is_counted() -> None:
    lost = judge([create(number) for number in range(50)], Stored({}, []))
    assert len({told.split()[0] for told in lost.lost}) == 50


def test_a_write_that_was_applied_twice_is_found() -> None:
    twice = changed({"m1": (3, "m1 from 1")}, ("m1", 3, "m1 from 1"))
    assert judge(SENT, twice).duplicated


def test_a_write_of_unknown_outcome_that_was_applied_twice_is_found() -> None:
    twice = changed({"m4": (2, "m4 new")}, ("m4", 1, "m4 new"), ("m4", 2, "m4 new"))
    assert judge(SENT, twice).duplicated


def test_a_revision_that_stands_twice_is_found() -> None:
    assert judge(SENT, changed({}, ("m2", 1, "m2 new"))).duplicated


def test_a_model_and_its_history_that_part_are_found() -> None:
    assert judge(SENT, changed({"m1": (3, "m1 from 1")})).torn
    assert judge(SENT, changed({"m1": (2, "something else")})).torn
    assert judge(SENT, without(("m1", 1, "m1 new"))).torn
    assert judge(SENT, changed({"m4": (1, "m4 new")})).torn
    assert judge(SENT, changed({}, ("m4", 1, "m4 new"))).torn


def test_what_nobody_sent_is_found() -> None:
    assert judge(SENT, changed({"m9": (1, "x")}, ("m9", 1, "x"))).torn


def test_an_update_that_overtook_another_is_found() -> None:
    sent = [create(1), update(1, 1), Attempt("m1", "other", 1, 0.0, 0.1, 200, 3)]
    both = Stored({"m1": (3, "other")}, [("m1", 1, "m1 new"), ("m1", 2, "m1 from 1"), ("m1", 3, "other")])
    assert judge(sent, both).torn


def test_an_answer_with_another_version_is_found() -> None:
    assert judge([Attempt("m1", "n", None, 0.0, 0.1, 200, 2)], Stored({"m1": (1, "n")}, [("m1", 1, "n")])).torn


def test_statuses_and_times_are_told() -> None:
    assert statuses(SENT) == {200: 3, 503: 1, None: 1, 504: 1}
    assert slowest(SENT) == 0.1
    assert slowest([]) == 0.0


def answered_at(*sent: float, status: int = 200, seconds: float = 0.1) -> list[Attempt]:
    return [create(number, status, sent=moment, seconds=seconds) for number, moment in enumerate(sent)]


def seconds_until(attempts: list[Attempt], until: float = 50.0) -> float | None:
    return recovery(attempts, 10.0, until, prompt=1.0, window=2.0)


def test_recovery_is_the_first_write_from_which_on_writes_are_acknowledged_soon() -> None:
    refused = answered_at(9.0, 10.5, 11.0, 12.0, status=503)
    slow = answered_at(13.0, seconds=3.0)
    good = answered_at(14.0, 15.0, 16.0, 17.0)
    assert seconds_until([*refused, *slow, *good]) == 4.0
    assert seconds_until(good[::-1]) == 4.0


def test_one_success_among_refusals_is_no_recovery() -> None:
    assert seconds_until([*answered_at(11.0), *answered_at(12.0, 13.0, 14.0, status=503)]) is None


def test_one_refusal_among_many_successes_does_not_put_it_off() -> None:
    good = answered_at(*(10 + number / 100 for number in range(1000)))
    assert seconds_until([*good, *answered_at(10.5, status=503)], until=15.0) == 0.0


def test_without_enough_time_after_it_there_is_no_recovery_yet() -> None:
    assert seconds_until(answered_at(11.0, 11.5), until=12.5) is None
