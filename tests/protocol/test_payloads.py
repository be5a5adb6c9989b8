"""MQTT payloads: JSON there and back, nothing unknown, schemas for every topic."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import TypeAdapter, ValidationError
from tests.support.wire_strategies import payload

from wavewrap_protocol import payloads
from wavewrap_protocol.payloads import TOPICS, BridgeState, Payload, Quantiles, WrapId
from wavewrap_protocol.requests import REQUESTS

MODELS = sorted({topic.model for topic in TOPICS.values()}, key=lambda model: model.__name__)
REQUEST_MODELS = sorted({kind for topic in REQUESTS.values() for kind in topic[:2]}, key=lambda model: model.__name__)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_json_round_trip(model: type[Payload]) -> None:
    @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
    @given(payload(model))
    def check(value: Any) -> None:
        text = value.model_dump_json()
        assert model.model_validate_json(text) == value
        assert json.loads(text).keys() == model.model_fields.keys()

    check()


@pytest.mark.parametrize("model", [*MODELS, *REQUEST_MODELS], ids=lambda model: model.__name__)
def test_unknown_keys_are_refused(model: type[Payload]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        model.model_validate({"surprise": 1})


@pytest.mark.parametrize("model", [*MODELS, *REQUEST_MODELS], ids=lambda model: model.__name__)
def test_schema_is_closed_and_complete(model: type[Payload]) -> None:
    schema = model.model_json_schema()
    assert schema["additionalProperties"] is False
    assert schema["properties"].keys() == model.model_fields.keys()
    assert all(part.get("additionalProperties", False) is False for part in schema.get("$defs", {}).values())


def test_messages_are_frozen() -> None:
    state = BridgeState(state="online")
    with pytest.raises(ValidationError, match="frozen"):
        state.state = "offline"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_has_no_word_for_is_refused(value: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Quantiles(p50=value, p99=0.0, max=0.0)


@pytest.mark.parametrize("name", ["", "Left", "left/1", "left 1", "a" * 65, "+", "#", "left\n", "bridge"])
def test_names_that_would_break_topics_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(WrapId).validate_python(name)


@pytest.mark.parametrize("name", ["left", "wrap-1", "a_b", "0", "bridge-2", "a" * 64])
def test_names_for_topics(name: str) -> None:
    assert TypeAdapter(WrapId).validate_python(name) == name


def test_topics_are_distinct_and_of_known_models() -> None:
    paths = [topic.path for topic in TOPICS.values()]
    assert len(set(paths)) == len(paths)
    assert {topic.model.__name__ for topic in TOPICS.values()} <= set(payloads.__all__)
    assert all(topic.qos in {0, 1} for topic in TOPICS.values())
    # Only the last word of a state is kept for those who come later; a stream is not.
    assert {topic.path for topic in TOPICS.values() if topic.retained}.isdisjoint({"{wrap}/telemetry", "{wrap}/event", "bridge/event"})


def test_the_last_will_is_the_smallest_message() -> None:
    assert BridgeState(state="offline").model_dump_json() == '{"state":"offline"}'
