"""The gateway's session state table. Law: every state but ENDED leads to ENDING by one event, and ENDING always sends STOP or END.

Not responsible for timing (:mod:`wavewrap_gateway.core.scheduler`) nor for what ends a session.
"""

from enum import Enum, auto

from wavewrap_protocol.errors import TransitionError

__all__ = ["TRANSITIONS", "SessionEvent", "SessionState", "next_state"]


class SessionState(Enum):
    """Where a session is."""

    ARMING = "arming"
    RUNNING = "running"
    PAUSED = "paused"
    """Everything released, the timeline stands still, the leases go on."""
    ENDING = "ending"
    ENDED = "ended"


class SessionEvent(Enum):
    """What moves it."""

    ARMED = auto()
    PAUSE = auto()
    RESUME = auto()
    FINISH = auto()
    """The wave is over, a person stopped it, or something failed: one way out for all."""
    VENTED = auto()
    """Every wrap has said that it is vented."""
    DEADLINE = auto()
    """A wrap did not say so in time; its lease has vented it."""


TRANSITIONS: dict[tuple[SessionState, SessionEvent], SessionState] = {
    (SessionState.ARMING, SessionEvent.ARMED): SessionState.RUNNING,
    (SessionState.ARMING, SessionEvent.FINISH): SessionState.ENDING,
    (SessionState.RUNNING, SessionEvent.FINISH): SessionState.ENDING,
    (SessionState.RUNNING, SessionEvent.PAUSE): SessionState.PAUSED,
    (SessionState.PAUSED, SessionEvent.RESUME): SessionState.RUNNING,
    (SessionState.PAUSED, SessionEvent.FINISH): SessionState.ENDING,
    (SessionState.ENDING, SessionEvent.FINISH): SessionState.ENDING,
    (SessionState.ENDING, SessionEvent.VENTED): SessionState.ENDED,
    (SessionState.ENDING, SessionEvent.DEADLINE): SessionState.ENDED,
}


def next_state(state: SessionState, event: SessionEvent) -> SessionState:
    """The state after ``event``. Raises :class:`TransitionError` when the table has no such row."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise TransitionError(f"a session that is {state.value} does not take {event.name}") from None
