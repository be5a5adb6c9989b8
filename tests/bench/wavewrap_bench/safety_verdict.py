"""Judges safety runs: which answer to a fault is right, which pressure is too much, which time too long."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from wavewrap_bench.safety_trace import Outcome
from wavewrap_board.board import Board
from wavewrap_protocol.enums import Cause
from wavewrap_protocol.enums import Fault as Code
from wavewrap_protocol.limits import LEASE_DEFAULT_MS
from wavewrap_sim.faults import Fault, RadioCut

__all__ = ["RIGHT", "TIME_STATED", "KindRow", "Verdict", "judge", "summarise"]

OVER_CEILING_MMHG = 5.0
PUMP_OFF_S = 0.2
BELOW_15_S = 5.0

_LEASE_S = LEASE_DEFAULT_MS / 1000.0

RIGHT: dict[str, frozenset[str]] = {
    "leak": frozenset({Code.LEAK.name, Code.NO_RISE.name}),
    "hose_off": frozenset({Code.NO_RISE.name, Code.LEAK.name}),
    "kink": frozenset({Code.BLOCKED.name}),
    "poor_fit": frozenset({Code.POOR_FIT.name}),
    "inlet_stuck_open": frozenset({Code.INLET_STUCK.name}),
    "inlet_stuck_shut": frozenset({Code.BLOCKED.name}),
    "vent_stuck_open": frozenset({Code.LEAK.name, Code.NO_RISE.name}),
    "vent_stuck_shut": frozenset({Code.VENT_FAILED.name}),
    "dump_stuck_open": frozenset({Code.PUMP_WEAK.name}),
    "dump_stuck_shut": frozenset({Code.VENT_FAILED.name}),
    "pump_dead": frozenset({Code.PUMP_WEAK.name}),
    "pump_stuck_on": frozenset({Code.PUMP_STUCK.name}),
    "sensor_drift": frozenset({Code.SENSOR_DRIFT.name}),
    "sensor_frozen": frozenset({Code.SENSOR.name}),
    "sensor_dead": frozenset({Code.SENSOR.name}),
    "manifold_sensor_frozen": frozenset({Code.SENSOR.name}),
    "manifold_sensor_dead": frozenset({Code.SENSOR.name}),
    "reboot": frozenset({Cause.BOOT.name}),
    "firmware_hang": frozenset({Cause.BOOT_WATCHDOG.name}),
    "brown_out": frozenset({Cause.BOOT_BROWN_OUT.name}),
    "radio_cut": frozenset({Cause.LEASE_END.name}),
    "gateway_kill": frozenset({Cause.LEASE_END.name}),
    "host_stall": frozenset({Cause.LEASE_END.name}),
    "writes_corrupted": frozenset({Cause.LEASE_END.name}),
    "writes_replayed": frozenset(),
    "writes_reordered": frozenset({Cause.LEASE_END.name}),
    "writes_hostile": frozenset({Cause.STOP.name}),
}
"""What a device may say to each kind. The last four need no answer: what does not check out is refused, and a session that gets too
little through ends with its lease."""

HARMLESS = frozenset({"writes_corrupted", "writes_replayed", "writes_reordered", "writes_hostile"})
"""A session may go on under these."""

BEYOND_FIRMWARE = frozenset({"sensor_drift", "sensor_frozen", "sensor_dead", "firmware_hang"})
"""The firmware's ceiling needs a sensor that tells the truth and a firmware that runs; here the hardware's counts."""

TIME_STATED = frozenset({"vent_stuck_shut"})
"""The way out is the relief path: the time is stated, not limited."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one run. ``answer`` is right, wrong, missed, no effect, or harmless; ``broken`` says which limits it breaks."""

    outcome: Outcome
    answer: str
    broken: tuple[str, ...]


class KindRow(BaseModel):
    """All single-fault runs of one kind; times in seconds, ``None`` where there is none."""

    model_config = ConfigDict(frozen=True)
    kind: str
    runs: int
    right: int
    wrong: int
    missed: int
    no_effect: int
    harmless: int
    said: dict[str, int]
    """First answers, counted."""
    detected_median_s: float | None
    detected_max_s: float | None
    pump_off_max_s: float | None
    below_15_median_s: float | None
    below_15_max_s: float | None
    below_5_max_s: float | None
    highest_mmhg: float
    over_15_max_s: float


def judge(outcome: Outcome, board: Board) -> Verdict:
    """The verdict on a run with at most one fault; with two, only pressures and times are judged."""
    answer = _answer(outcome)
    broken = []
    if answer in ("wrong", "missed", "false alarm"):
        broken.append(answer)
    limit_mmhg = _limit_mmhg(outcome.faults, board)
    if outcome.highest_mmhg > limit_mmhg:
        broken.append(f"{outcome.highest_mmhg:g} mmHg, over {limit_mmhg:g}")
    if outcome.reactions and outcome.pump_off_s > PUMP_OFF_S:
        broken.append(f"pump off after {outcome.pump_off_s:g} s")
    if outcome.reactions and outcome.below_15_s > BELOW_15_S and not {fault.kind for fault in outcome.faults} & TIME_STATED:
        broken.append(f"under 15 mmHg after {outcome.below_15_s:g} s")
    return Verdict(outcome, answer, tuple(broken))


def _limit_mmhg(faults: Sequence[Fault], board: Board) -> float:
    if any(fault.kind in BEYOND_FIRMWARE for fault in faults):
        return board.limiter.hardware_ceiling_mmhg
    return board.limits.ceiling_mmhg + OVER_CEILING_MMHG


def _answer(outcome: Outcome) -> str:
    said = [reaction.what for reaction in outcome.reactions]
    if not outcome.faults:
        return "false alarm" if said else "right"
    if len(outcome.faults) > 1:
        return "answered" if said else "silent"
    fault, shown_s = outcome.faults[0], outcome.shown_s[0]
    if said:
        early = outcome.reactions[0].at_s < fault.at_s
        return "right" if said[0] in RIGHT[fault.kind] and not early else "wrong"
    if shown_s is None:
        return "no effect"
    if fault.kind in HARMLESS or (fault.kind in ("radio_cut", "host_stall") and _is_bearable(fault)):
        return "harmless"
    return "missed"


def _is_bearable(fault: Fault) -> bool:
    """A silence that the lease outlives: the last renewal before it is up to a second old, and a lost link takes time to come back."""
    return fault.for_s is not None and fault.for_s < _LEASE_S + (0.5 if isinstance(fault, RadioCut) else 1.0)


def summarise(kinds: Sequence[str], verdicts: Iterable[Verdict]) -> list[KindRow]:
    """One row a kind, in the order of ``kinds``; runs with two faults are left out."""
    by_kind: dict[str, list[Verdict]] = {kind: [] for kind in kinds}
    for verdict in verdicts:
        if len(verdict.outcome.faults) == 1:
            by_kind[verdict.outcome.faults[0].kind].append(verdict)
    return [_row(kind, found) for kind, found in by_kind.items() if found]


def _row(kind: str, verdicts: Sequence[Verdict]) -> KindRow:
    outcomes = [verdict.outcome for verdict in verdicts]
    answers = [verdict.answer for verdict in verdicts]
    acted = [outcome for outcome in outcomes if outcome.reactions]
    detected_s = sorted(outcome.detected_s for outcome in acted if outcome.detected_s is not None)
    below_15_s = sorted(outcome.below_15_s for outcome in acted)
    said: dict[str, int] = {}
    for outcome in acted:
        said[outcome.reactions[0].what] = said.get(outcome.reactions[0].what, 0) + 1
    return KindRow(
        kind=kind,
        runs=len(outcomes),
        right=answers.count("right"),
        wrong=answers.count("wrong"),
        missed=answers.count("missed"),
        no_effect=answers.count("no effect"),
        harmless=answers.count("harmless"),
        said=dict(sorted(said.items(), key=lambda item: (-item[1], item[0]))),
        detected_median_s=_round(median(detected_s)),
        detected_max_s=_round(max(detected_s, default=None)),
        pump_off_max_s=_round(max((outcome.pump_off_s for outcome in acted), default=None)),
        below_15_median_s=_round(median(below_15_s)),
        below_15_max_s=_round(max(below_15_s, default=None)),
        below_5_max_s=_round(max((outcome.below_5_s for outcome in acted), default=None)),
        highest_mmhg=max(outcome.highest_mmhg for outcome in outcomes),
        over_15_max_s=max(outcome.over_15_s for outcome in outcomes),
    )


def median(ordered: Sequence[float]) -> float | None:
    """The lower median of ``ordered``; ``None`` of none."""
    return ordered[(len(ordered) - 1) // 2] if ordered else None


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
