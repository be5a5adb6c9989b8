"""What a simulated wrap truly did, entry by entry. ``host_s`` are seconds on the clock that was passed to the wrap."""

from dataclasses import asdict, dataclass
from typing import ClassVar

__all__ = ["FaultEntry", "LightEntry", "LogEntry", "PairingEntry", "PressureEntry", "StateEntry", "StepEntry"]

JsonValue = str | int | float | list[float]


@dataclass(frozen=True, slots=True)
class _Entry:
    KIND: ClassVar[str]

    wrap: str
    """Serial number."""
    host_s: float

    def to_json(self) -> dict[str, JsonValue]:
        """A JSON object, ``kind`` first."""
        return {"kind": self.KIND, **asdict(self)}


@dataclass(frozen=True, slots=True)
class StepEntry(_Entry):
    """A step was dealt with; ``host_s`` is the true instant of ``actual_tick``."""

    KIND: ClassVar[str] = "step"
    seq: int
    chamber: int
    planned_tick: int
    actual_tick: int
    outcome: str


@dataclass(frozen=True, slots=True)
class StateEntry(_Entry):
    """The state changed."""

    KIND: ClassVar[str] = "state"
    state: str
    cause: str


@dataclass(frozen=True, slots=True)
class FaultEntry(_Entry):
    """A fault was found; ``chamber`` 255 is none in particular."""

    KIND: ClassVar[str] = "fault"
    fault: str
    chamber: int
    value_mmhg: float


@dataclass(frozen=True, slots=True)
class PressureEntry(_Entry):
    """True pressures, one per chamber, every 100 ms."""

    KIND: ClassVar[str] = "pressure"
    pressure_mmhg: list[float]
    state: str


@dataclass(frozen=True, slots=True)
class PairingEntry(_Entry):
    """``event`` is ``window_open``, ``window_closed``, ``paired``, ``failed``, ``refused`` or ``forgotten``.

    ``passkey`` is what the display shows from now on; ``central`` is the address of the gateway, where there is one.
    """

    KIND: ClassVar[str] = "pairing"
    event: str
    passkey: str = ""
    central: str = ""


@dataclass(frozen=True, slots=True)
class LightEntry(_Entry):
    """The wrap shows its light for ``for_s`` from then on; 0 puts it out."""

    KIND: ClassVar[str] = "light"
    for_s: int


LogEntry = StepEntry | StateEntry | FaultEntry | PressureEntry | PairingEntry | LightEntry
