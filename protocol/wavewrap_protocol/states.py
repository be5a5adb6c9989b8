"""The device's state table. Law: outside RUNNING and ARMED the pump is off and every vent is open; only ARM leads there.

A stop, the end of a lease, the end of a session and a fault are allowed in every state, because venting is always safe.
"""

from enum import Enum, auto

from wavewrap_protocol.enums import DeviceState
from wavewrap_protocol.errors import TransitionError

__all__ = ["PRESSURISING", "TRANSITIONS", "DeviceEvent", "next_state"]


class DeviceEvent(Enum):
    """What can move a device."""

    ARM = auto()
    FIRST_STEP = auto()
    STOP = auto()
    """STOP written, END commanded, lease or session limit reached: one way out for all."""
    VENTED = auto()
    """Every chamber is under the vented threshold."""
    FAULT = auto()
    ACKNOWLEDGE = auto()
    """A person acknowledged, the cause is gone and every chamber is vented."""


PRESSURISING = frozenset({DeviceState.ARMED, DeviceState.RUNNING})
"""The only states in which a valve may let air in."""

TRANSITIONS: dict[tuple[DeviceState, DeviceEvent], DeviceState] = {
    (DeviceState.IDLE, DeviceEvent.ARM): DeviceState.ARMED,
    (DeviceState.IDLE, DeviceEvent.STOP): DeviceState.IDLE,
    (DeviceState.IDLE, DeviceEvent.VENTED): DeviceState.IDLE,
    (DeviceState.IDLE, DeviceEvent.FAULT): DeviceState.FAULT,
    (DeviceState.ARMED, DeviceEvent.FIRST_STEP): DeviceState.RUNNING,
    (DeviceState.ARMED, DeviceEvent.STOP): DeviceState.VENTING,
    (DeviceState.ARMED, DeviceEvent.FAULT): DeviceState.FAULT,
    (DeviceState.RUNNING, DeviceEvent.STOP): DeviceState.VENTING,
    (DeviceState.RUNNING, DeviceEvent.FAULT): DeviceState.FAULT,
    (DeviceState.VENTING, DeviceEvent.STOP): DeviceState.VENTING,
    (DeviceState.VENTING, DeviceEvent.VENTED): DeviceState.IDLE,
    (DeviceState.VENTING, DeviceEvent.FAULT): DeviceState.FAULT,
    (DeviceState.FAULT, DeviceEvent.STOP): DeviceState.FAULT,
    (DeviceState.FAULT, DeviceEvent.VENTED): DeviceState.FAULT,
    (DeviceState.FAULT, DeviceEvent.FAULT): DeviceState.FAULT,
    (DeviceState.FAULT, DeviceEvent.ACKNOWLEDGE): DeviceState.IDLE,
}


def next_state(state: DeviceState, event: DeviceEvent) -> DeviceState:
    """The state after ``event``. Raises :class:`TransitionError` when the table has no such row."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise TransitionError(f"a device in {state.name} does not take {event.name}") from None
