"""Secrets and default pictures in the content of Open WebUI's models."""

from typing import Any

import pytest

from documents.image import image_problem
from service.importing.readers.openwebui_content import DEFAULT_IMAGE, with_default_image, without_exposed_secrets
from service.importing.readers.openwebui_models import Notes, model_item

IN_PARAMS = "looks like a secret; it was kept, and everybody who may write the model can read it"
IN_META = "may contain a secret; it was kept, and everybody who may read the model can read it"
LEFT_OUT = "left out, since it is or may be a secret"
KEY = "sk-1234abcdefgh"
PNG = "data:image/png;base64,iVBORw0KGgoq7Zp2LmX9vTb4RkW8sNf3HjD6yGc1Ae5"


def of(**content: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    return without_exposed_secrets({"id": "m", **content})


@pytest.mark.parametrize(
    ("params", "paths"),
    [
        ({"custom_params": {"api_key": "plain-word"}}, ["params.custom_params.api_key"]),
        ({"system": f"Call it with {KEY}."}, ["params.system"]),
        ({"stop": ["a", KEY], "token": ""}, ["params.stop[1]"]),
        ({KEY: 1}, ["params.…"]),
        ({"system": "Be kind. Never ask for a password.", "max_tokens": 5, "stop": ["###"], "seed": 42}, []),
        ({"a": 5, "custom_params": {"api_key": None, "client_secret": "os.environ/SECRET"}}, []),
        ([KEY], ["params[0]"]),
    ],
)
def test_secrets_in_params_are_kept_and_named(params: Any, paths: list[str]) -> None:
    kept, notes = of(params=params)
    assert kept["params"] == params
    assert notes == tuple(f"{path}: {IN_PARAMS}" for path in paths)
    assert KEY not in repr(notes)


@pytest.mark.parametrize(
    ("meta", "kept", "notes"),
    [
        ({"a": 1, "api_key": "plain-word"}, {"a": 1}, [f"meta.api_key: {LEFT_OUT}"]),
        ({"valves": {"token": KEY, "b": None}}, {"valves": {"b": None}}, [f"meta.valves.token: {LEFT_OUT}"]),
        ({"tags": [KEY, "a"]}, {"tags": ["a"]}, [f"meta.tags[0]: {LEFT_OUT}"]),
        ({"a": "Bearer abcdefghijk"}, {}, [f"meta.a: {LEFT_OUT}"]),
        ({"a": "-----BEGIN RSA PRIVATE KEY-----\nx\n"}, {}, [f"meta.a: {LEFT_OUT}"]),
        ({KEY: 5}, {}, [f"meta.…: {LEFT_OUT}"]),
        *(
            ({"description": text}, {"description": text}, [f"meta.description: {IN_META}"])
            for text in (f"Call it with {KEY}.", "The password: secret of good prompts")
        ),
    ],
)
def test_secrets_in_meta_are_left_out_and_prose_is_kept(meta: Any, kept: Any, notes: list[str]) -> None:
    assert of(meta=meta) == ({"id": "m", "meta": kept}, tuple(notes))


@pytest.mark.parametrize(
    "meta",
    [
        {"profile_image_url": PNG, "description": None, "capabilities": {"vision": True}, "token": None},
        {"knowledge": [{"id": "6f1c2a5e-9d54-4a57-8f6b-0b8f3c1d2e4a", "hash": "9f86d081884c7d65" * 4, "key": ""}]},
        {"suggestion_prompts": [{"title": ["a", "b"], "content": "What is a secret?"}], "toolIds": ["server:mcp:a"]},
        5,
        None,
    ],
)
def test_ordinary_meta_is_kept_without_a_word(meta: Any) -> None:
    assert of(meta=meta) == ({"id": "m", "meta": meta}, ())


def test_an_image_keeps_its_place_beside_a_secret() -> None:
    kept, _ = of(meta={"profile_image_url": PNG, "api_key": "plain-word"})
    assert kept["meta"] == {"profile_image_url": PNG}


def test_what_is_too_large_or_too_deep_to_be_stored_is_not_searched() -> None:
    deep: Any = KEY
    for _ in range(900):
        deep = [deep]
    for content in ({"a": [KEY, "x" * 500_000]}, {"a": {"y" * 500_000: KEY}}, {"a": deep}):
        assert of(params=content, meta=content) == ({"id": "m", "params": content, "meta": content}, ())


@pytest.mark.parametrize(
    "image",
    [
        *("/favicon.png", "/user.png", "/static/user.png", "static/favicon.png", "/favicon.png?v=2"),
        *(
            "http://localhost:3000/favicon.png",
            "http://127.0.0.1/user.png",
            "https://chat.example.com/static/favicon.png",
        ),
    ],
)
def test_a_default_picture_of_any_version_becomes_that_of_today(image: str) -> None:
    meta = with_default_image({"a": 1, "profile_image_url": image})
    assert meta == {"a": 1, "profile_image_url": DEFAULT_IMAGE}
    assert image_problem(DEFAULT_IMAGE) is None


@pytest.mark.parametrize(
    "image",
    [
        *(None, "", 5, "/static/favicon.png", "/static/other.png", "https://openai.example/favicon.png", PNG),
        *(
            "/favicon.png.html",
            "//host/favicon.png",
            "javascript:/favicon.png",
            "/favicon.png#x",
            "/static/../user.png",
        ),
    ],
)
def test_another_picture_is_left_to_the_check_of_images(image: Any) -> None:
    meta = {"profile_image_url": image}
    assert with_default_image(meta) is meta


def test_the_change_of_pictures_is_noted_once() -> None:
    notes, record = Notes(), {"id": "m", "name": "M", "access_grants": [], "meta": {"profile_image_url": "/user.png"}}
    (note,) = model_item(record, "[0]", notes).notes
    assert note == "meta.profile_image_url: a default picture of Open WebUI, which is /static/favicon.png here"
    assert model_item(record, "[1]", notes).notes == ()
