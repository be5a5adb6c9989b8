"""What a page may ask: known commands, well formed, and no start without every answer."""

import json
from typing import Any

import pytest

from wavewrap_dashboard.requests_in import MESSAGE_MAX_BYTES, AskedError, read_message

WELL = {"read": True, "pain": False, "swelling": False, "bruising": False, "stopped_running": False}


def ask(command: str, body: dict[str, Any] | None = None, **more: Any) -> str:
    return json.dumps({"id": 1, "command": command, "body": body or {}, **more})


def why(text: str, *, check_before_start: bool = True) -> str:
    with pytest.raises(AskedError) as refusal:
        read_message(text, check_before_start=check_before_start)
    return refusal.value.why


def test_a_heartbeat_asks_nothing() -> None:
    assert read_message('{"beat":1}', check_before_start=True) is None


def test_a_start_needs_every_answer() -> None:
    assert why(ask("start", {"program": "calf-wave"})) == "check_missing"
    asked = read_message(ask("start", {"program": "calf-wave"}, check=WELL), check_before_start=True)
    assert asked is not None
    assert asked.body == {"program": "calf-wave"}


@pytest.mark.parametrize("sign", ["pain", "swelling", "bruising", "stopped_running"])
def test_one_sign_of_a_tear_is_enough(sign: str) -> None:
    assert why(ask("start", check={**WELL, sign: True})) == "check_failed"


def test_what_was_not_read_or_not_answered_is_no_answer() -> None:
    assert why(ask("start", check={**WELL, "read": False})) == "check_failed"
    assert why(ask("start", check={key: value for key, value in WELL.items() if key != "pain"})) == "malformed"
    assert why(ask("start", check={**WELL, "pain": 0})) == "malformed"


def test_a_lab_may_switch_the_questions_off() -> None:
    asked = read_message(ask("start"), check_before_start=False)
    assert asked is not None
    assert asked.command == "start"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"id":"1","command":"stop"}',
        ask("explode"),
        ask("boost", {"mmhg": 500}),
        ask("boost", {"mmhg": 5, "more": 1}),
        ask("start", {"duration_s": 99999}, check=WELL),
        ask("pause", {"pad": "x" * MESSAGE_MAX_BYTES}),
        "[" * 8000,
    ],
)
def test_what_is_no_request_is_refused(text: str) -> None:
    assert why(text) == "malformed"


def test_a_stop_goes_through_however_it_is_written() -> None:
    asked = read_message(ask("stop", {"nonsense": 1}), check_before_start=True)
    assert asked is not None
    assert asked.command == "stop"
