"""A session as the history gives it back: what it was, how it ended, and the curves and books of every wrap. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavewrap_gateway.core.account import SessionAccount
from wavewrap_gateway.core.history import RecordedEvent, RecordedWrap, RecordState, SessionHead
from wavewrap_gateway.core.recorded_curves import RecordedCurves
from wavewrap_protocol.payloads import SessionSummary

__all__ = ["RecordedSession", "RecordedSide", "SessionEntry"]


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """A line of the history. ``samples`` counts what is kept, a sample that came twice twice; ``sample_bytes`` is their room."""

    session_id: str
    gateway: str
    program: str
    state: RecordState
    reason: str
    started_unix_s: float
    ended_unix_s: float | None
    planned_s: float
    wraps: tuple[str, ...]
    samples: int
    sample_bytes: int
    unrecorded: int

    @property
    def duration_s(self) -> float | None:
        """From the first command to the last word of it; ``None`` while it runs."""
        return None if self.ended_unix_s is None else self.ended_unix_s - self.started_unix_s


@dataclass(frozen=True, slots=True)
class RecordedSide:
    """One wrap of a recorded session."""

    wrap: RecordedWrap
    curves: RecordedCurves
    account: SessionAccount


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """All of a session. ``summary`` is what the gateway said at its end, ``None`` where it could not."""

    head: SessionHead
    state: RecordState
    reason: str
    ended_unix_s: float | None
    unrecorded: int
    summary: SessionSummary | None
    events: Sequence[RecordedEvent]
    sides: Sequence[RecordedSide]

    @property
    def zero_unix_s(self) -> float | None:
        """Wall time of the session's second 0, tied to it by the first sample that has both; ``None`` without one."""
        for side in self.sides:
            known = np.flatnonzero(np.isfinite(side.curves.unix_s))
            if len(known):
                return float(side.curves.unix_s[known[0]] - side.curves.session_s(side.account)[known[0]])
        return None
