"""What the broker has said, kept for the pages: the newest of each state, a bounded past of the pressures, what is new since the last push.

Pure: messages and the time come in, messages for the pages come out. Nothing is guessed: what cannot be read as a gateway's message is
counted and left out. Not responsible for when it is pushed and to whom (``hub``).
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError

from wavewrap_protocol.payloads import (
    Availability,
    BridgeEvent,
    BridgeHealth,
    BridgeInfo,
    BridgeState,
    Devices,
    SessionSummary,
    Telemetry,
    WrapEvent,
    WrapState,
)

__all__ = ["BACKLOG_S", "OVERVIEW_S", "Feed"]

BACKLOG_S = 60.0
"""A new page starts with this much past."""

BACKLOG_BATCHES_MAX = 6000
"""Choice: 60 s of batches of one sample at 100 Hz; a gateway that sends smaller ones has a shorter past."""

OVERVIEW_PERIOD_S = 1.0
OVERVIEW_S = 3600.0
"""One point a second of the running session, which is 60 min at most."""

EVENTS_MAX = 50
PATHS_MAX = 70
"""States, and the paths of targets in them, come once a second: a little more than the backlog."""

WRAPS_MAX = 64
"""Choice: as many as one table holds; a broker that names more is not a gateway's."""

_BRIDGE: dict[str, type[BaseModel]] = {
    "state": BridgeState,
    "info": BridgeInfo,
    "devices": Devices,
    "health": BridgeHealth,
    "event": BridgeEvent,
}
_WRAP: dict[str, type[BaseModel]] = {
    "": WrapState,
    "availability": Availability,
    "session": SessionSummary,
    "event": WrapEvent,
    "telemetry": Telemetry,
}


class _Past:
    """Of one wrap."""

    def __init__(self) -> None:
        self.state: dict[str, Any] | None = None
        self.availability: str | None = None
        self.summary: dict[str, Any] | None = None
        self.events: deque[dict[str, Any]] = deque(maxlen=EVENTS_MAX)
        self.batches: deque[tuple[float, dict[str, Any]]] = deque(maxlen=BACKLOG_BATCHES_MAX)
        self.overview: deque[list[Any]] = deque(maxlen=int(OVERVIEW_S / OVERVIEW_PERIOD_S))
        self.paths: deque[dict[str, Any]] = deque(maxlen=PATHS_MAX)
        self.heard_s: float | None = None
        self.state_heard_s: float | None = None
        self.playing = False


class Feed:
    """``now_s`` is any clock that only goes forward."""

    def __init__(self) -> None:
        self._bridge: dict[str, dict[str, Any]] = {}
        self._events: deque[dict[str, Any]] = deque(maxlen=EVENTS_MAX)
        self._wraps: dict[str, _Past] = {}
        self._new: list[dict[str, Any]] = []
        self.unreadable = 0

    def take(self, topic: str, body: bytes, now_s: float, *, retained: bool = False) -> dict[str, Any] | None:
        """A message on ``topic`` (under the base). Returns what the pages are to hear at once; samples wait for :meth:`take_samples`.

        What lay ``retained`` on the broker is of nobody knows when: it is kept, and is not fresh.
        """
        first, _, rest = topic.partition("/")
        kinds = _BRIDGE if first == "bridge" else _WRAP
        if rest not in kinds:
            return None
        if first == "bridge":
            return self._read(kinds[rest], body, lambda told: self._take_bridge(rest, told))
        if first not in self._wraps and len(self._wraps) >= WRAPS_MAX:
            self.unreadable += 1
            return None
        if not body:
            return self._forget(first, rest)
        return self._read(kinds[rest], body, lambda told: self._take_wrap(first, rest, told, None if retained else now_s))

    @property
    def holds_samples(self) -> bool:
        """Whether :meth:`take_samples` has some to give."""
        return bool(self._new)

    def take_samples(self) -> dict[str, Any] | None:
        """The samples since the last call, ``None`` when there are none."""
        if not self._new:
            return None
        batches, self._new = self._new, []
        return {"k": "s", "b": batches}

    def snapshot(self, now_s: float) -> dict[str, Any]:
        """All that a new page needs."""
        return {
            "k": "all",
            "bridge": self._bridge,
            "events": list(self._events),
            "wraps": {
                name: {
                    "state": past.state,
                    "availability": past.availability,
                    "summary": past.summary,
                    "events": list(past.events),
                    "batches": [batch for at_s, batch in past.batches if now_s - at_s <= BACKLOG_S],
                    "overview": list(past.overview),
                    "paths": list(past.paths),
                    "age_s": _age_s(past.heard_s, now_s),
                    "state_age_s": _age_s(past.state_heard_s, now_s),
                }
                for name, past in self._wraps.items()
            },
        }

    def _read(self, model: type[BaseModel], body: bytes, use: Callable[[BaseModel], dict[str, Any] | None]) -> dict[str, Any] | None:
        try:
            told = model.model_validate_json(body)
        except ValidationError:
            self.unreadable += 1
            return None
        return use(told)

    def _take_bridge(self, part: str, told: BaseModel) -> dict[str, Any]:
        value = told.model_dump(mode="json")
        if part == "event":
            self._events.append(value)
        else:
            self._bridge[part] = value
        return {"k": "bridge", "part": part, "v": value}

    def _take_wrap(self, name: str, part: str, told: BaseModel, now_s: float | None) -> dict[str, Any] | None:
        past = self._wraps.setdefault(name, _Past())
        if isinstance(told, Telemetry):
            if now_s is not None:
                self._take_telemetry(name, past, told, now_s)
            return None
        value = told.model_dump(mode="json")
        match told:
            case WrapState():
                playing = told.session is not None and told.session.state != "ended"
                if playing and not past.playing:
                    past.overview.clear()
                past.playing = playing
                if told.target_path is not None:
                    past.paths.append(value["target_path"])
                past.state, past.state_heard_s = value, now_s
            case Availability():
                past.availability = told.state
            case WrapEvent():
                past.events.append(value)
            case _:
                past.summary = value
        return {"k": "wrap", "w": name, "part": part or "state", "v": value, "old": now_s is None}

    def _take_telemetry(self, name: str, past: _Past, told: Telemetry, now_s: float) -> None:
        batch = {
            "w": name,
            "h": told.replay or told.historical,
            "o": told.boot_id,
            "q": told.seq,
            "d": told.period_ms,
            "u": told.unix_s,
            # Tuples: sixty seconds of them are the largest thing that this process holds.
            "p": tuple([tuple([round(value, 2) for value in row]) for row in told.pressure_mmhg]),
        }
        self._new.append(batch)
        past.batches.append((now_s, batch))
        while past.batches and now_s - past.batches[0][0] > BACKLOG_S:
            past.batches.popleft()
        if told.replay or told.historical:
            return
        past.heard_s = now_s
        if (
            past.playing
            and told.unix_s is not None
            and (not past.overview or not -1.0 <= told.unix_s - past.overview[-1][0] < OVERVIEW_PERIOD_S)
        ):
            measured = [round(row[-1], 1) for row in told.pressure_mmhg if row]
            targets = (past.state or {}).get("target_mmhg") or [None] * len(measured)
            past.overview.append([round(told.unix_s, 2), *measured, *targets])

    def _forget(self, name: str, part: str) -> dict[str, Any] | None:
        """Its retained message was cleared: the wrap is called something else now, or no longer known."""
        if part or self._wraps.pop(name, None) is None:
            return None
        return {"k": "gone", "w": name}


def _age_s(at_s: float | None, now_s: float) -> float | None:
    return None if at_s is None else round(now_s - at_s, 3)
