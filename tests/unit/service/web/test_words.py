"""Numbers, times, changes and access as the page says them."""

from typing import Any

import pytest

from documents.grant import Permission
from service.models.access.sharing import Path, PathKind
from service.web.access_words import tell
from service.web.history_words import Effort, compared, label, rendered, what
from service.web.picture import picture
from service.web.sharing_words import Names, shared_with
from service.web.words import ago, date, isolated, listed
from tests.support.directory import grant

NOW = 1_700_000_000
DAY = 86_400


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (DAY, "yesterday"),
        (6 * DAY, "6 days ago"),
        (7 * DAY, "1 week ago"),
        (31 * DAY, "1 month ago"),
        (800 * DAY, "2 years ago"),
        (-3 * DAY, "in 3 days"),
        (10**15, "at an unknown time"),
    ],
)
def test_times_are_said_as_people_say_them(seconds: int, said: str) -> None:
    assert ago(NOW - seconds, NOW) == said


def test_the_exact_time_is_in_utc() -> None:
    assert (date(NOW), date(-(10**15))) == ("Tue 14 Nov 2023, 22:13 UTC", "at an unknown time")


def test_lists_are_phrases() -> None:
    assert [listed(parts) for parts in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("grants", "said"),
    [
        ([], "nobody else"),
        (["user:*", "group:g"], "everyone"),
        (["group:g"], "Team"),
        (["group:unknown"], "unknown"),
        (["group:g", "group:h", "user:u"], "2 groups and Ann"),
        (["user:u", "user:v"], "2 people"),
        (["group:g", "group:g"], "Team"),
    ],
)
def test_sharing_in_words(grants: list[str], said: str) -> None:
    names = Names({"u": "Ann"}, {"g": "Team"})
    assert shared_with({"access_grants": [grant(one) for one in grants]}, names) == said


@pytest.mark.parametrize("stored", [None, "text", [1], [{"principal_type": "user"}], [{"principal_id": 3}]], ids=str)
def test_sharing_that_cannot_be_read_is_none(stored: Any) -> None:
    assert shared_with({"access_grants": stored}, Names()) == "nobody else"


@pytest.mark.parametrize(
    ("path", "sentence", "boxes"),
    [
        (Path(PathKind.OWNER, Permission.WRITE), "Ann may change it: it belongs to Ann.", 2),
        (Path(PathKind.PUBLIC, Permission.READ, "x"), "Ann may read it: it is shared with everyone.", 4),
        (
            Path(PathKind.GROUP, Permission.READ, "x", "g", ["g"]),
            "Ann may read it: it is shared with the group Team, and Ann is in it.",
            4,
        ),
        (
            Path(PathKind.ANCESTOR_GROUP, Permission.WRITE, "x", "h", ["g", "m", "h"]),
            "Ann may change it: it is shared with the group h. Ann is in Team, which belongs to m, which belongs to h.",
            6,
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, Path) else "",
)
def test_access_in_words_and_boxes(path: Path, sentence: str, boxes: int) -> None:
    told = tell(path, "Ann", {"g": "Team"})
    assert (told.sentence, len(picture(told.steps).boxes)) == (sentence, boxes)


def test_changes_in_words() -> None:
    assert what("update", ["name", "params"]) == "changed the name and the prompt or settings"
    assert what("import", []) == "imported it"
    assert what("create", ["name"]) == "created it"
    assert what("of another version", ["name"]) == "changed the name"


def test_a_difference_shows_words_that_differ() -> None:
    assert compared("Be very brief.", "Be brief!", Effort()) == [
        *(("same", "Be "), ("gone", "very "), ("same", "brief")),
        *(("gone", "."), ("new", "!")),
    ]


@pytest.mark.parametrize(
    ("difference", "parts"),
    [
        ({"path": "/params/temperature", "after": 0.5}, [("new", "0.5")]),
        ({"path": "/params/stop", "before": ["x"]}, [("gone", '[\n  "x"\n]')]),
        (
            {"path": "/meta/tags", "before": [{"name": "a"}], "after": [{"name": "a"}, {"name": "b"}]},
            [("same", "a"), ("new", "\nb")],
        ),
        ({"path": "/access_grants", "before": [grant("user:*")], "after": []}, [("gone", "Everyone may read")]),
    ],
    ids=lambda value: value["path"] if isinstance(value, dict) else "",
)
def test_differences_are_readable(difference: dict[str, Any], parts: list[tuple[str, str]]) -> None:
    [shown] = rendered([difference])
    assert shown["parts"] == parts


def test_texts_beyond_comparison_are_shown_whole() -> None:
    before, after = "a\nb\n" * 1000, "b\nc\n" * 1001
    assert compared(before, after, Effort()) == [("gone", before), ("new", after)]


def test_what_surrounds_a_change_costs_nothing() -> None:
    line = "the same\n"
    assert compared(line * 9000 + "a" + line, line * 9000 + "b" + line, Effort(4)) == [
        *(("same", line * 9000), ("gone", "athe same\n"), ("new", "bthe same\n")),
    ]


def test_all_differences_of_an_answer_share_one_effort() -> None:
    # Each takes about a quarter of it.
    before, after = "a b " * 100, "b a c " * 100
    differences = [{"path": f"/params/{at}", "before": before, "after": after} for at in range(10)]
    shown = [one["parts"] == [("gone", before), ("new", after)] for one in rendered(differences)]
    assert shown == [False] * 3 + [True] * 7


def test_words_that_are_alike_everywhere_are_not_compared_for_ever() -> None:
    effort = Effort(1000)
    assert len(compared("a b " * 5, "b a c " * 5, effort)) > 2
    before, after = "a b " * 300, "b a c " * 300
    assert compared(before, after, effort) == [("gone", before), ("new", after)]
    # What was not begun is still left for others.
    assert len(compared("a b " * 5, "b a c " * 5, effort)) > 2


def test_a_long_text_with_many_small_changes_is_compared() -> None:
    words = [f"word{at % 200}" for at in range(1200)]
    changed = [word if at % 50 else "changed" for at, word in enumerate(words)]
    parts = compared(" ".join(words), " ".join(changed), Effort())
    assert [text for kind, text in parts if kind == "new"] == ["changed "] * 24


def test_names_of_parts() -> None:
    assert [label(path) for path in ("/params/system", "/params/a~1b/c", "/meta/x")] == [
        *("System prompt", "Setting a/b › c", "Detail x")
    ]


def test_a_name_in_a_sentence_orders_no_other_words() -> None:
    assert isolated("Ann") == "Ann"
    assert isolated("ليلى \u202eevil\u2069") == "\u2068ليلى evil\u2069"
    told = tell(Path(PathKind.USER, Permission.READ, "x", "u", []), "\u202eAnn", {})
    assert told.sentence == "\u2068Ann\u2069 may read it: it is shared with \u2068Ann\u2069."
