"""The queues' rules: who waits, who is dropped, and that every message is counted once."""

import logging
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavewrap_gateway.runtime.publishing import BrokerChange, BrokerDown, BrokerUp, DataClass, Message, MessageQueues, encode_message
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.payloads import TOPICS, Availability, BridgeState, Telemetry

TELEMETRY = Telemetry(
    gateway="g", wrap="left", boot_id=1, seq=0, tick=0, period_ms=20, replay=False, unix_s=None, pressure_mmhg=[[1.0, 2.5], [0.0, 0.25]]
)


def make(number: int, data_class: DataClass) -> Message:
    return Message(f"{data_class.value}/{number}", b"{}", 1, False, data_class)


def live(number: int) -> Message:
    return make(number, DataClass.LIVE)


def durable(number: int) -> Message:
    return make(number, DataClass.DURABLE)


def empty(queues: MessageQueues) -> list[Message]:
    taken = []
    while (message := queues.take()) is not None:
        taken.append(message)
    return taken


def test_encoding_follows_the_topic_table() -> None:
    message = encode_message("house/one", "wrap_telemetry", TELEMETRY, "left")
    assert message.path == "house/one/left/telemetry"
    assert Telemetry.model_validate_json(message.body) == TELEMETRY
    assert (message.qos, message.retained, message.data_class) == (1, False, DataClass.LIVE)
    state = encode_message("wavewrap", "wrap_availability", Availability(state="online"), "left")
    assert (state.path, state.retained, state.data_class) == ("wavewrap/left/availability", True, DataClass.DURABLE)


@pytest.mark.parametrize(
    ("topic", "payload", "wrap", "says"),
    [
        ("wrap_telemetri", TELEMETRY, "left", "'wrap_telemetri' is unknown"),
        ("wrap_telemetry", TELEMETRY, None, "wrap None makes no path"),
        ("bridge_state", BridgeState(state="online"), "left", "wrap 'left' makes no path"),
        ("wrap_availability", BridgeState(state="online"), "left", "carries Availability, not BridgeState"),
    ],
)
def test_a_message_that_fits_no_topic_is_refused(topic: str, payload: Telemetry, wrap: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        encode_message("wavewrap", topic, payload, wrap)


def test_only_telemetry_and_health_may_be_dropped_first() -> None:
    from wavewrap_gateway.runtime import publishing

    assert {"wrap_telemetry", "bridge_health"} == publishing.LIVE_TOPICS
    assert set(TOPICS) >= publishing.LIVE_TOPICS


def test_live_drops_the_oldest_and_durable_leaves_first() -> None:
    queues = MessageQueues(live_bound=3, durable_bound=10)
    for number in range(5):
        queues.put(live(number))
    queues.put(durable(0))
    assert empty(queues) == [durable(0), live(2), live(3), live(4)]
    assert queues.drops() == {"live queue full": 2}


def test_durable_waits_and_its_bound_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    queues = MessageQueues(live_bound=1, durable_bound=4)
    with caplog.at_level(logging.ERROR):
        for number in range(7):
            queues.put(durable(number))
    assert empty(queues) == [durable(3), durable(4), durable(5), durable(6)]
    assert queues.drops() == {"durable queue full": 3}
    assert [record.getMessage() for record in caplog.records] == [
        "durable queue full (4 messages): dropping the oldest, first one on durable/0"
    ]


def test_what_was_put_back_leaves_first_in_its_order() -> None:
    queues = MessageQueues()
    for number in range(4):
        queues.put(durable(number))
    taken = [queues.take(), queues.take()]
    queues.put_back([message for message in taken if message is not None])
    assert empty(queues) == [durable(number) for number in range(4)]


def test_refusals_are_counted_by_reason() -> None:
    queues = MessageQueues()
    for number in range(3):
        queues.put(durable(number))
    for message in empty(queues)[:2]:
        queues.refuse(message, "refused by the broker: Not authorized")
    assert queues.drops() == {"refused by the broker: Not authorized": 2}
    assert queues.counts().dropped == 2


@given(st.lists(st.sampled_from(["live", "durable", "take", "lose", "acknowledge", "refuse"]), max_size=200))
def test_every_message_is_counted_exactly_once(actions: list[str]) -> None:
    queues = MessageQueues(live_bound=3, durable_bound=5)
    flying: list[Message] = []
    put = 0
    for action in actions:
        match action:
            case "live" | "durable":
                queues.put(make(put, DataClass(action)))
                put += 1
            case "take":
                message = queues.take()
                flying += [] if message is None else [message]
            case "lose":
                queues.put_back(flying)
                flying.clear()
            case "acknowledge" if flying:
                queues.acknowledge(flying.pop(0))
            case "refuse" if flying:
                queues.refuse(flying.pop(0), "no")
        counts = queues.counts()
        assert counts.published == put
        assert counts.published == counts.acknowledged + counts.dropped + len(queues) + len(flying)
        assert len(queues) <= 8
    queues.put_back(flying)
    queues.discard("end")
    counts = queues.counts()
    assert counts.published == counts.acknowledged + counts.dropped


def test_a_change_is_up_or_down() -> None:
    assert get_args(BrokerChange) == (BrokerUp, BrokerDown)
