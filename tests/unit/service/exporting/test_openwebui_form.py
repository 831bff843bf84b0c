"""What Open WebUI 0.12 would refuse in an import: each field of the wrong shape is left out, and nothing else."""

from typing import Any

import pytest

from service.exporting.openwebui_form import accepted_meta, accepted_params

FILE = "6f1c2a5e-9d54-4a57-8f6b-0b8f3c1d2e4a"
GESTURE = {"file_id": FILE, "name": "wave_1", "description": "Waves."}
CONTROL = {
    "label": "Effort",
    "options": {"low": {"label": "Low", "params": {"a": 1}}, "high": {"label": "H", "params": {}}},
}

ACCEPTED_META: list[dict[str, Any]] = [
    {},
    dict.fromkeys(["profile_image_url", "background_image_url", "description", "i18n", "capabilities", "voice"]),
    {"knowledge": None, "voice_avatar": None},
    *({"profile_image_url": url} for url in ("", "/static/favicon.png", "/user.png", "/api/v1/users/u/profile/image")),
    *({"profile_image_url": url} for url in ("https://x.example/a.png", "data:image/png;base64,AAAA")),
    {"background_image_url": f"/api/v1/files/{FILE}/content"},
    {"description": "", "i18n": {"de": {}}, "capabilities": {"vision": True}, "knowledge": [1, {"id": "x"}]},
    *({"voice": voice} for voice in ({}, {"voice": None}, {"voice": "alloy", "speed": 2})),
    {"voice_avatar": {"file_id": FILE, "states": {"idle": {"file_id": FILE}}, "gestures": [GESTURE], "mouth": 5}},
    {"tags": [{"name": "a"}], "other": [1], "suggestion_prompts": "odd"},
]
ODD_STATES: list[Any] = [{"odd": {"file_id": FILE}}, {"idle": {}}, {"idle": 5}, []]
ODD_GESTURES: list[Any] = [{}, [5], [GESTURE, GESTURE], [GESTURE] * 17]
# Of each field, values of the wrong shape.
REFUSED_META: dict[str, list[Any]] = {
    "profile_image_url": [
        *(5, True, ["x"], {}, "/static/other.png", "x.png", "//h/x", "data:image/svg+xml;base64,A", "https://["),
    ],
    "background_image_url": [
        *(5, "", "https://x.example/a.png", f"/api/v1/files/{FILE}", f"/api/v1/files/{FILE.upper()}/content"),
    ],
    "description": [5, True, [], {}, 1.5],
    "i18n": ["x", [], 5, False],
    "capabilities": [["vision"], "vision", 5, True],
    "knowledge": [{"a": 1}, "x", 5, True],
    "voice": ["alloy", [], 5, {"voice": ""}, {"voice": "a b"}, {"voice": "a" * 201}, {"voice": 5}],
    "voice_avatar": [
        *("x", [], 5, {}, {"file_id": "x"}, {"file_id": FILE, "other": 1}, {"file_id": FILE, "states": None}),
        *({"file_id": FILE, "states": states} for states in ODD_STATES),
        *({"file_id": FILE, "gestures": gestures} for gestures in ODD_GESTURES),
        *(
            {"file_id": FILE, "gestures": [{**GESTURE, **odd}]}
            for odd in ({"name": "Wave"}, {"description": " "}, {"description": "x" * 501}, {"file_id": 5}, {"x": 1})
        ),
    ],
}
NO_CONTROLS: list[Any] = [5, None, [], "x", {}]
# Of each field of a control, values of the wrong shape.
REFUSED_FIELDS: dict[str, list[Any]] = {
    "label": [" ", None, 5],
    "display": ["knob", None, []],
    "default": ["none", 5, []],
    "description": [5],
    "options": [
        *({}, [], None, {"1": {"label": "L", "params": {}}}, {"a": 5}, {"a": {"label": "L"}}),
        {"a": {"label": "", "params": {}}},
    ],
}
REFUSED_CONTROLS: list[tuple[str, Any]] = [
    *((name, CONTROL) for name in ("1x", "", "a b", "constructor", "ä")),
    *(("x", control) for control in NO_CONTROLS),
    *(("x", {**CONTROL, field: value}) for field, values in REFUSED_FIELDS.items() for value in values),
    ("x", {**CONTROL, "display": "slider", "options": {"a": {"label": "L", "params": {}}}}),
]


@pytest.mark.parametrize("meta", ACCEPTED_META)
def test_what_it_accepts_is_kept(meta: dict[str, Any]) -> None:
    assert accepted_meta(meta) == (meta, [])


@pytest.mark.parametrize("name", REFUSED_META)
def test_a_field_of_the_wrong_shape_is_left_out_and_named(name: str) -> None:
    for value in REFUSED_META[name]:
        kept, (problem,) = accepted_meta({"a": 1, name: value, "b": 2})
        assert kept == {"a": 1, "b": 2}, value
        assert problem.startswith(f"meta.{name}: left out; Open WebUI accepts ")


@pytest.mark.parametrize(("name", "control"), REFUSED_CONTROLS)
def test_a_control_of_the_wrong_shape_is_left_out_and_the_others_are_kept(name: str, control: Any) -> None:
    kept, (problem,) = accepted_params({"top_p": 1, "model_controls": {"good-1": CONTROL, name: control}})
    assert kept == {"top_p": 1, "model_controls": {"good-1": CONTROL}}
    assert problem.startswith("params.model_controls.")


def test_what_holds_them_must_be_an_object() -> None:
    assert accepted_meta([1]) == ({}, ["meta: left out; Open WebUI accepts an object there"])
    assert accepted_params(None) == ({}, ["params: left out; Open WebUI accepts an object there"])
    odd: list[Any] = [None, [], "x"]
    for controls in odd:
        kept, problems = accepted_params({"a": 1, "model_controls": controls})
        assert (kept, len(problems)) == ({"a": 1}, 1)


@pytest.mark.parametrize(
    "params", [{}, {"model_controls": {}}, {"model_controls": {"x": {**CONTROL, "default": "low"}}}]
)
def test_params_are_kept_otherwise(params: dict[str, Any]) -> None:
    assert accepted_params(params) == (params, [])


def test_a_long_name_is_cut() -> None:
    _, (problem,) = accepted_params({"model_controls": {"1" * 10_000: CONTROL}})
    assert len(problem) < 200
