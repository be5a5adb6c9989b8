"""Laws of the device's state table."""

import pytest

from wavewrap_protocol.enums import DeviceState
from wavewrap_protocol.errors import TransitionError
from wavewrap_protocol.states import PRESSURISING, TRANSITIONS, DeviceEvent, next_state

EVERY = [(state, event) for state in DeviceState for event in DeviceEvent]


@pytest.mark.parametrize(("state", "event"), EVERY, ids=lambda item: item.name)
def test_each_event_moves_or_is_refused_by_name(state: DeviceState, event: DeviceEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert next_state(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(TransitionError, match=rf"{state.name}.*{event.name}"):
            next_state(state, event)


@pytest.mark.parametrize("state", DeviceState)
def test_stop_and_fault_are_taken_in_every_state_and_end_the_pressure(state: DeviceState) -> None:
    for event in (DeviceEvent.STOP, DeviceEvent.FAULT):
        assert next_state(state, event) not in PRESSURISING
    assert next_state(state, DeviceEvent.FAULT) is DeviceState.FAULT


def test_only_arm_leads_to_pressure_and_only_from_idle() -> None:
    entries = {(state, event) for (state, event), after in TRANSITIONS.items() if after in PRESSURISING and state not in PRESSURISING}
    assert entries == {(DeviceState.IDLE, DeviceEvent.ARM)}


def test_pressure_is_left_only_towards_venting_or_fault() -> None:
    left = {after for (state, _), after in TRANSITIONS.items() if state in PRESSURISING and after not in PRESSURISING}
    assert left == {DeviceState.VENTING, DeviceState.FAULT}


def test_a_fault_is_left_only_by_acknowledgement() -> None:
    exits = {(event, after) for (state, event), after in TRANSITIONS.items() if state is DeviceState.FAULT and after is not state}
    assert exits == {(DeviceEvent.ACKNOWLEDGE, DeviceState.IDLE)}


def test_venting_ends_only_when_vented() -> None:
    exits = {event for (state, event), after in TRANSITIONS.items() if state is DeviceState.VENTING and after is DeviceState.IDLE}
    assert exits == {DeviceEvent.VENTED}


def test_every_state_is_reached_from_idle() -> None:
    reached = {DeviceState.IDLE}
    for _ in DeviceState:
        reached |= {after for (state, _), after in TRANSITIONS.items() if state in reached}
    assert reached == set(DeviceState)
