"""What a fault, a finding or an end means, in plain words, and what a person can do about it. Every text of that kind is in this file.

Not responsible for finding anything: the device protects (its faults), :mod:`wavewrap_gateway.core.diagnosis` explains.
"""

from enum import StrEnum
from typing import NamedTuple

from wavewrap_protocol.enums import Cause, Fault

__all__ = ["Advice", "FindingKind", "advise_finding", "describe_fault", "explain_end", "explain_fault"]


class Advice(NamedTuple):
    """``meaning`` and ``remedy`` are phrases without a full stop."""

    meaning: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.meaning}: {self.remedy}"


class FindingKind(StrEnum):
    """What the gateway reads from the pressures of a session. None of them ends it: that is the device's part."""

    LEAK = "leak"
    SLOW_FILL = "slow_fill"
    WEAK_SUPPLY = "weak_supply"
    SLOW_VENT = "slow_vent"
    OFFSET = "offset"
    LOOSE = "loose"
    LIMB_MOVED = "limb_moved"


_FAULTS: dict[Fault, Advice] = {
    Fault.OVER_PRESSURE: Advice(
        "a chamber went over the highest pressure allowed",
        "sit still and start again at a lower pressure; if it comes back, do not use the wrap",
    ),
    Fault.SENSOR: Advice("a pressure sensor reads what cannot be", "do not use the wrap until its sensor or its cable has been replaced"),
    Fault.HOLD_TOO_LONG: Advice(
        "a chamber was under pressure for too long without a rest", "rest, then choose a program with shorter holds"
    ),
    Fault.NO_RISE: Advice("air went in and no pressure came up", "check that every hose is on and no chamber is open, then start again"),
    Fault.VENT_FAILED: Advice(
        "the wrap does not empty as it should", "take it off now, and do not use it until its vent valve has been replaced"
    ),
    Fault.WATCHDOG: Advice("the wrap's controller did not keep up", "switch the wrap off and on; if it comes back, do not use it"),
    Fault.BATTERY: Advice("the battery is empty", "charge the wrap"),
    Fault.LEAK: Advice(
        "a chamber loses air faster than it should", "press the hoses on, look for a hole or an open seam, then start again"
    ),
    Fault.BLOCKED: Advice(
        "the pump works and the air does not get into the chamber", "straighten the hose of that chamber, then start again"
    ),
    Fault.PUMP_WEAK: Advice("the pump brings no pressure", "charge the wrap; if that does not help, pump or manifold valve need repair"),
    Fault.PUMP_STUCK: Advice("the pump ran though it was told off", "do not use the wrap until the switch of its pump has been replaced"),
    Fault.INLET_STUCK: Advice(
        "a chamber filled though its valve was told shut", "do not use the wrap until that inlet valve has been cleaned or replaced"
    ),
    Fault.POOR_FIT: Advice("a chamber took far more air than a leg leaves room for", "put the wrap on, close it snugly, then start again"),
    Fault.SENSOR_DRIFT: Advice(
        "two pressure sensors that must agree do not", "let the wrap rest at room temperature; if it comes back, have it calibrated"
    ),
    Fault.LIMITER: Advice(
        "the hardware limiter cut pump and valves before the firmware did", "do not use the wrap until somebody has found out why"
    ),
}

_FINDINGS: dict[FindingKind, Advice] = {
    FindingKind.LEAK: Advice(
        "it needs refilling more often than the others", "press its hose on and look for a hole before the next session"
    ),
    FindingKind.SLOW_FILL: Advice("it fills more slowly than before, the others do not", "look for a bend in its hose"),
    FindingKind.WEAK_SUPPLY: Advice(
        "every chamber fills more slowly than at first", "charge the wrap; if that does not help, its pump is wearing out"
    ),
    FindingKind.SLOW_VENT: Advice("it empties more slowly than the others", "look for a bend in its hose, and clean its vent valve"),
    FindingKind.OFFSET: Advice(
        "at rest it does not read zero", "let the wrap lie at room temperature for some minutes before the next session"
    ),
    FindingKind.LOOSE: Advice("much of the filling time passes before any pressure comes up", "close the wrap more snugly"),
    FindingKind.LIMB_MOVED: Advice("the leg moved during a hold", "nothing to do; the wrap evened it out"),
}

_ENDS: dict[Cause, str] = {
    Cause.STOP: "somebody pressed stop on the wrap, or another program wrote it",
    Cause.LEASE_END: "it did not hear from the gateway for as long as its lease: bring it nearer and start again",
    Cause.SESSION_END: "it was told that the session is over by another program",
    Cause.SESSION_LIMIT: "it has reached the longest session that it allows",
    Cause.BATTERY_LOW: "its battery only suffices for a controlled end: charge it",
}


def explain_fault(fault: Fault) -> Advice:
    """What ``fault`` means for a person. Raises :class:`KeyError` for NONE, which is no fault."""
    return _FAULTS[fault]


def describe_fault(fault: Fault) -> str:
    """``fault`` by name, with its meaning and what to do; also for one whose report has not come yet."""
    return "a fault that it has not named yet" if fault is Fault.NONE else f"the fault {fault.name}: {explain_fault(fault)}"


def advise_finding(kind: FindingKind) -> Advice:
    """What a finding of the gateway means for a person."""
    return _FINDINGS[kind]


def explain_end(cause: Cause | None) -> str:
    """Why a wrap ended a session by itself, as far as its reports have said so."""
    return _ENDS.get(cause, "it has not said why yet") if cause is not None else "it has not said why yet"
