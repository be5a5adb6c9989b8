"""Which requests pass: each rule at its edge, time and message passed in. Through a broker they are provoked in the integration tests."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavewrap_gateway.core.request_rules import (
    CLOCK_AHEAD_S,
    DEFAULT_COMMANDS,
    KEPT_MAX,
    KEPT_S,
    Incoming,
    RefusedError,
    TransactionMemory,
    check_request,
    check_response_topic,
    read_transaction,
)
from wavewrap_protocol.requests import REQUEST_MAX_BYTES, REQUESTS, TTL_MAX_S, CommandName, StartRequest, StopRequest
from wavewrap_protocol.responses import Reason

NOW_S = 1_700_000_000.0
ALL = frozenset(CommandName)


def start(*, expiry_s: float | None = None, age_s: float = 0.0, **keys: object) -> Incoming:
    return Incoming("start", json.dumps({"transaction": "t", **keys}).encode(), expiry_s=expiry_s, age_s=age_s)


def refusal(incoming: Incoming, allowed: frozenset[CommandName] = ALL) -> tuple[Reason, str]:
    with pytest.raises(RefusedError) as caught:
        check_request(incoming, allowed, NOW_S)
    assert "\n" not in str(caught.value)
    return caught.value.reason, str(caught.value)


@pytest.mark.parametrize(
    "incoming",
    [
        start(unix_s=NOW_S, ttl_s=TTL_MAX_S),
        start(unix_s=NOW_S - 10.0, ttl_s=10.0),
        start(unix_s=NOW_S + CLOCK_AHEAD_S, ttl_s=1.0),
        start(expiry_s=TTL_MAX_S),
        start(expiry_s=1.0, age_s=0.99),
        start(expiry_s=1.0, unix_s=NOW_S, ttl_s=1.0),
    ],
)
def test_a_start_that_is_good_passes(incoming: Incoming) -> None:
    assert isinstance(check_request(incoming, ALL, NOW_S), StartRequest)


@pytest.mark.parametrize(
    "incoming",
    [
        start(),
        start(unix_s=NOW_S - 10.1, ttl_s=10.0),
        start(unix_s=NOW_S + CLOCK_AHEAD_S + 0.1, ttl_s=60.0),
        start(expiry_s=TTL_MAX_S + 1.0),
        start(expiry_s=1.0, age_s=1.0),
        start(expiry_s=30.0, unix_s=NOW_S - 10.1, ttl_s=10.0),
        start(expiry_s=1.0, age_s=2.0, unix_s=NOW_S, ttl_s=10.0),
    ],
)
def test_of_two_expiries_both_hold(incoming: Incoming) -> None:
    assert refusal(incoming)[0] is Reason.STALE


def test_everything_that_may_raise_a_pressure_expires() -> None:
    assert {name for name, topic in REQUESTS.items() if topic.expires} >= {
        CommandName.START,
        CommandName.RESUME,
        CommandName.BOOST,
        CommandName.ACKNOWLEDGE,
        CommandName.SELECT,
    }


def test_by_default_only_what_reads_or_releases_is_allowed() -> None:
    assert set(DEFAULT_COMMANDS) == {CommandName.STOP, CommandName.PAUSE, CommandName.PROGRAMS, CommandName.HEALTH}
    assert not any(REQUESTS[name].expires for name in DEFAULT_COMMANDS)


@pytest.mark.parametrize("name", sorted(set(CommandName) - {CommandName.STOP}))
def test_what_is_not_allowed_is_not_even_read(name: CommandName) -> None:
    reason, text = refusal(Incoming(name, b"{"), frozenset())
    assert (reason, "commands.allow" in text) == (Reason.NOT_ALLOWED, True)


def test_a_stop_needs_no_leave_and_no_body() -> None:
    assert check_request(Incoming("stop", b""), frozenset(), NOW_S) == StopRequest()
    late = Incoming("stop", b'{"unix_s":0,"ttl_s":1}', expiry_s=0.0, age_s=9.0)
    assert isinstance(check_request(late, frozenset(), NOW_S), StopRequest)


def test_the_longest_body_is_read_and_one_byte_more_is_not() -> None:
    assert refusal(Incoming("start", b" " * REQUEST_MAX_BYTES))[0] is Reason.MALFORMED
    assert refusal(Incoming("start", b" " * (REQUEST_MAX_BYTES + 1)))[0] is Reason.OVERSIZED


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.sampled_from(sorted(CommandName)))
def test_no_bytes_are_more_than_refused(body: bytes, command: str) -> None:
    with suppress(RefusedError):
        assert isinstance(check_request(Incoming(command, body, expiry_s=10.0), ALL, NOW_S), REQUESTS[CommandName(command)].request)
    transaction = read_transaction(body)
    assert transaction is None or 1 <= len(transaction) <= 64


@pytest.mark.parametrize("topic", ["answers/me", "wavewrap/bridge/response/mine", "wavewrapper/x", "homeassistantly"])
def test_answers_go_to_topics_of_others(topic: str) -> None:
    check_response_topic(topic, "wavewrap", ("homeassistant",))


@pytest.mark.parametrize(
    "topic", ["", "$SYS/x", "a/+", "#", "wavewrap/bridge/response", "wavewrap/bridge/responses", "homeassistant/status"]
)
def test_and_never_where_they_could_be_taken_for_something_else(topic: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check_response_topic(topic, "wavewrap", ("homeassistant",))
    assert caught.value.reason is Reason.BAD_RESPONSE_TOPIC


def test_a_transaction_is_remembered_for_its_time_and_for_its_command() -> None:
    memory: TransactionMemory[str] = TransactionMemory()
    memory.add("start", "a", b"1", 0.0, "first")
    assert memory.find("start", "a", b"1") == "first"
    assert memory.find("pause", "a", b"1") is None
    with pytest.raises(RefusedError) as caught:
        memory.find("start", "a", b"2")
    assert caught.value.reason is Reason.DUPLICATE
    memory.add("start", "b", b"1", KEPT_S, "second")
    assert memory.find("start", "a", b"1") == "first"
    memory.add("start", "c", b"1", KEPT_S + 0.1, "third")
    assert memory.find("start", "a", b"1") is None
    assert memory.find("start", "b", b"1") == "second"


def test_nobody_can_flush_the_memory() -> None:
    memory: TransactionMemory[int] = TransactionMemory()
    for number in range(KEPT_MAX):
        memory.add("health", str(number), b"", 0.0, number)
    with pytest.raises(RefusedError) as caught:
        memory.add("health", "one more", b"", KEPT_S, 0)
    assert caught.value.reason is Reason.BUSY
    assert memory.find("health", "0", b"") == 0
    memory.add("health", "later", b"", KEPT_S + 0.1, 1)
