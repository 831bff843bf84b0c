"""The format of a log line, and what it must not contain."""

import asyncio
import json
import logging
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from service.errors import ConfigurationError
from service.observability.logs import REQUEST, JsonLines, TextLines
from service.observability.requests import current_request_id

SECRET = "mdk_planted_secret"
Log = Callable[..., str]


def record(
    message: str, *values: Any, name: str = "modeldeck", error: BaseException | None = None
) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord(name, logging.WARNING, __file__, 1, message, values, exc_info)


def raised(cause: BaseException | None = None) -> BaseException:
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            error.add_note(SECRET)
            raise ValueError(f"first line\n  File {SECRET}\n{SECRET}Error: x") from cause or error
    except ValueError as error:
        return error


@pytest.fixture(params=[JsonLines(), TextLines()], ids=["json", "text"])
def formatter(request: pytest.FixtureRequest) -> logging.Formatter:
    found: logging.Formatter = request.param
    return found


def test_a_line_is_one_object_with_time_level_and_the_request_it_belongs_to() -> None:
    token = current_request_id.set("r1")
    line = JsonLines().format(record("is %s", "away\nand more"))
    current_request_id.reset(token)
    assert "\n" not in line
    parsed = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", parsed.pop("time"))
    assert parsed == {"level": "warning", "logger": "modeldeck", "request_id": "r1", "message": "is away\nand more"}
    assert json.loads(JsonLines().format(record("x")))["request_id"] is None


def test_text_is_one_line_whatever_a_client_sends() -> None:
    answered = record("a request")
    fields = {"method": "GET", "route": "/", "status": 200, "duration_ms": 1.5, "caller": "a\nb", "key": None}
    setattr(answered, REQUEST, {**fields, "client": "::1"})
    assert TextLines().format(answered).endswith(r" GET / 200 1.5 ms caller=a\nb key=- client=::1")


def test_an_error_is_logged_with_frames_and_types_but_without_messages(formatter: logging.Formatter) -> None:
    line = formatter.format(record("unforeseen error", error=raised()))
    assert SECRET not in line
    assert "first line" not in line
    for expected in ("test_logs.py", "in raised", "KeyError", "ValueError"):
        assert expected in line


def test_exception_groups_are_logged_without_messages_too(formatter: logging.Formatter) -> None:
    line = formatter.format(record("x", error=BaseExceptionGroup(SECRET, [raised(), asyncio.CancelledError(SECRET)])))
    assert SECRET not in line
    assert "ValueError" in line
    assert "CancelledError" in line


def test_the_message_of_a_configuration_error_is_logged(formatter: logging.Formatter) -> None:
    assert "ConfigurationError: Set it." in formatter.format(record("x", error=ConfigurationError("Set it.")))


def test_a_traceback_that_came_as_text_is_cut_in_the_same_way(formatter: logging.Formatter) -> None:
    line = formatter.format(record("".join(traceback.format_exception(raised())), name="uvicorn.error"))
    assert SECRET not in line
    assert "first line" not in line
    assert "ValueError" in line
    assert "in raised" in line


async def test_what_the_event_loop_says_of_a_failed_task_does_not_quote_it(
    formatter: logging.Formatter, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(argument: str) -> None:
        raise raised()

    loop = asyncio.get_running_loop()
    task = loop.create_task(fails(SECRET))
    await asyncio.wait({task})
    loop.default_exception_handler(
        {"message": "Task exception was never retrieved", "exception": raised(), "task": task}
    )
    loop.default_exception_handler({"message": f"Exception in callback f('{SECRET}')", "exception": raised()})
    lines = [formatter.format(each) for each in caplog.records]
    assert len(lines) == 2
    assert SECRET in caplog.text
    assert not [line for line in lines if SECRET in line]
    assert "Task exception was never retrieved" in lines[0]
    with pytest.raises(ValueError, match="first"):
        task.result()


def test_extra_attributes_of_a_record_are_not_logged() -> None:
    attached = record("x")
    attached.color_message = SECRET
    assert SECRET not in JsonLines().format(attached)


def test_an_error_that_is_not_there_is_no_mistake(formatter: logging.Formatter) -> None:
    assert sys.exc_info() == (None, None, None)
    odd = record("x")
    odd.exc_info = sys.exc_info()
    assert "x" in formatter.format(odd)
