"""How a payload becomes a message: its topic, its class, its key, and the mark of what comes late."""

import json
from typing import get_args

import pytest
from tests.support.sample_payloads import event, telemetry

from wavewrap_gateway.runtime import publishing
from wavewrap_gateway.runtime.publishing import BrokerChange, BrokerDown, BrokerUp, DataClass, SampleRun, encode_message, mark_historical
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.payloads import TOPICS, Availability, BridgeEvent, BridgeState, Payload, Telemetry


def test_encoding_follows_the_topic_table() -> None:
    message = encode_message("house/one", "wrap_telemetry", telemetry(3), "left")
    assert message.path == "house/one/left/telemetry"
    assert Telemetry.model_validate_json(message.body) == telemetry(3)
    assert (message.qos, message.retained, message.data_class) == (1, False, DataClass.TELEMETRY)
    assert message.samples == SampleRun("left", 257, 15, 5)
    state = encode_message("wavewrap", "wrap_availability", Availability(state="online"), "left")
    assert (state.path, state.retained, state.data_class) == ("wavewrap/left/availability", True, DataClass.LATEST)
    assert encode_message("wavewrap", "bridge_event", event(1)).data_class is DataClass.EVENT


@pytest.mark.parametrize(
    ("topic", "payload", "wrap", "says"),
    [
        ("wrap_telemetri", telemetry(0), "left", "'wrap_telemetri' is unknown"),
        ("wrap_telemetry", telemetry(0), None, "wrap None makes no path"),
        ("bridge_state", BridgeState(state="online"), "left", "wrap 'left' makes no path"),
        ("wrap_availability", BridgeState(state="online"), "left", "carries Availability, not BridgeState"),
    ],
)
def test_a_message_that_fits_no_topic_is_refused(topic: str, payload: Payload, wrap: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        encode_message("wavewrap", topic, payload, wrap)


def test_what_is_stored_can_say_that_it_comes_late_and_carries_a_key() -> None:
    stored = publishing.TELEMETRY_TOPICS | publishing.EVENT_TOPICS
    assert {"bridge_event", "wrap_event", "wrap_session", "wrap_telemetry"} == stored
    for name in stored:
        fields = TOPICS[name].model.model_fields
        assert {"gateway", "seq", "historical"} <= fields.keys()
        assert {"boot_id" if name == "wrap_telemetry" else "gateway_boot"} <= fields.keys()
    # A state that were stored could come to those who trust it after it was true.
    assert all(not TOPICS[name].retained for name in stored - {"wrap_session"})


def test_every_payload_but_the_bare_states_and_the_setting_has_a_key() -> None:
    bare = {name for name, topic in TOPICS.items() if not {"gateway", "seq"} <= topic.model.model_fields.keys()}
    assert bare == {"bridge_state", "wrap_availability", "bridge_selection"}


def test_the_historical_mark_changes_nothing_else() -> None:
    message = encode_message("wavewrap", "bridge_event", event(7, "größer als"))
    marked = mark_historical(message)
    assert BridgeEvent.model_validate_json(marked.body) == event(7, "größer als").model_copy(update={"historical": True})
    assert (marked.path, marked.qos, marked.retained, marked.data_class) == (
        message.path,
        message.qos,
        message.retained,
        message.data_class,
    )
    assert list(json.loads(marked.body)) == list(json.loads(message.body))
    state = encode_message("wavewrap", "wrap_availability", Availability(state="online"), "left")
    assert mark_historical(state) == state


def test_a_change_is_up_or_down() -> None:
    assert get_args(BrokerChange) == (BrokerUp, BrokerDown)
