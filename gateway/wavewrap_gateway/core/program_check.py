"""A program against the limits of the protocol (:mod:`wavewrap_protocol.limits`).

The device enforces them again, on its own clock; this tells a person beforehand.
"""

from collections import deque
from dataclasses import dataclass

from wavewrap_board.board import Board
from wavewrap_board.sizing import vent_time_s
from wavewrap_gateway.core.fit import Fit, Problem, fit_program
from wavewrap_gateway.core.program import Program, SequentialPulse
from wavewrap_gateway.core.wave import Wave, WaveStep, compile_wave, count_cycles
from wavewrap_protocol.limits import (
    CEILING_DEFAULT_MMHG,
    HOLD_MAX_S,
    OVER_THRESHOLD_MMHG,
    QUEUE_DEPTH_DEFAULT,
    RAMP_MAX_MS,
    SESSION_MAX_S,
    VENT_MIN_S,
)
from wavewrap_protocol.payloads import Side

__all__ = ["HORIZON_S", "Compression", "check_program", "densest_steps", "find_compressions", "longest_compression_s", "shortest_vent_s"]

HORIZON_S = 5.0
"""Steps this far ahead must fit the device's queue together. The default horizon, as long as the longest lease."""


@dataclass(frozen=True, slots=True)
class Compression:
    """One chamber from its first inflation at ``start_s`` to its release: over the threshold of 15 mmHg from ``over_s`` to ``under_s``.

    The fall after the release counts from the highest target in between, so ``under_s`` is late rather than early.
    """

    chamber: int
    start_s: float
    over_s: float
    under_s: float


def check_program(
    program: Program,
    board: Board,
    ceiling_mmhg: float = CEILING_DEFAULT_MMHG,
    queue_depth: int = QUEUE_DEPTH_DEFAULT,
) -> list[Problem]:
    """Everything that keeps ``program`` from being played on a wrap of ``board``; empty when nothing does."""
    chambers = len(board.chambers)
    fit = fit_program(program, chambers)
    if isinstance(fit, Problem):
        return [fit]
    problems = _check_pressures(program, fit, ceiling_mmhg) + _check_ramps(program)
    session_problem = _check_session(program, fit)
    if session_problem is not None:
        return [*problems, session_problem]
    # Long enough to meet full pressure twice, whatever the program's own session: `--for` may play it longer.
    checked_s = min((len(program.soft_cycles_pct) + 2) * fit.cycle_s, SESSION_MAX_S)
    return problems + _check_wave(program, compile_wave(program, Side.LEFT, chambers, checked_s), board, queue_depth)


def find_compressions(wave: Wave, board: Board) -> list[Compression]:
    """Every compression of every chamber of a wrap of ``board``, in the order of release."""
    first: dict[int, WaveStep] = {}
    peak_mmhg: dict[int, float] = {}
    found: list[Compression] = []
    for step in wave.steps:
        if step.target_mmhg > 0:
            first.setdefault(step.chamber, step)
            peak_mmhg[step.chamber] = max(step.target_mmhg, peak_mmhg.get(step.chamber, 0.0))
        elif step.chamber in first:
            start = first.pop(step.chamber)
            over_s = start.at_s + start.ramp_s * min(1.0, OVER_THRESHOLD_MMHG / start.target_mmhg)
            fallen_s = step.at_s + vent_time_s(board, step.chamber, peak_mmhg.pop(step.chamber), OVER_THRESHOLD_MMHG)
            found.append(Compression(step.chamber, start.at_s, over_s, fallen_s))
    return found


def longest_compression_s(wave: Wave, board: Board) -> float:
    """Longest time that any chamber stays over the threshold of 15 mmHg: its ramp, its holds and the fall after its release."""
    return max(compression.under_s - compression.over_s for compression in find_compressions(wave, board))


def shortest_vent_s(wave: Wave, board: Board) -> float:
    """Shortest time from a chamber's fall under the threshold to its next inflation; the whole session when no chamber has a next one."""
    under_s: dict[int, float] = {}
    shortest_s = wave.duration_s
    for compression in find_compressions(wave, board):
        if compression.chamber in under_s:
            shortest_s = min(shortest_s, compression.start_s - under_s[compression.chamber])
        under_s[compression.chamber] = compression.under_s
    return shortest_s


def densest_steps(wave: Wave, horizon_s: float = HORIZON_S) -> int:
    """Most steps that fall into any ``horizon_s``."""
    ahead: deque[float] = deque()
    most = 0
    for step in wave.steps:
        ahead.append(step.at_s)
        while step.at_s - ahead[0] > horizon_s:
            ahead.popleft()
        most = max(most, len(ahead))
    return most


def _check_pressures(program: Program, fit: Fit, ceiling_mmhg: float) -> list[Problem]:
    if program.pressure_mmhg > ceiling_mmhg:
        return [
            Problem(
                "pressure_mmhg", program.pressure_mmhg, f"over the ceiling of {ceiling_mmhg:g} mmHg; lower it to {ceiling_mmhg:g} or less"
            )
        ]
    return [
        Problem(
            "boost_mmhg",
            program.boost_mmhg[chamber],
            f"lifts chamber {chamber + 1} to {pressure_mmhg:g} mmHg, over the ceiling of {ceiling_mmhg:g} mmHg; "
            f"lower it by {pressure_mmhg - ceiling_mmhg:g} or more",
            chamber,
        )
        for chamber, pressure_mmhg in enumerate(fit.pressures_mmhg)
        if pressure_mmhg > ceiling_mmhg
    ]


def _check_ramps(program: Program) -> list[Problem]:
    ramps_s = {"inflate_s": program.inflate_s}
    if isinstance(program, SequentialPulse):
        ramps_s["release_s"] = program.release_s
    longest_s = RAMP_MAX_MS / 1000
    return [
        Problem(key, ramp_s, f"over the longest ramp of {longest_s:g} s; shorten it")
        for key, ramp_s in ramps_s.items()
        if ramp_s > longest_s
    ]


def _check_session(program: Program, fit: Fit) -> Problem | None:
    if program.duration_s > SESSION_MAX_S:
        return Problem("duration_min", program.duration_min, f"over the longest session of {SESSION_MAX_S / 60:g} min; shorten it")
    if count_cycles(program.duration_s, fit.cycle_s) < 1:
        return Problem("duration_min", program.duration_min, f"shorter than one cycle of {fit.cycle_s:.1f} s; lengthen it")
    return None


def _check_wave(program: Program, wave: Wave, board: Board, queue_depth: int) -> list[Problem]:
    problems: list[Problem] = []
    held_s = longest_compression_s(wave, board)
    if held_s > HOLD_MAX_S:
        key = "hold_s" if program.hold_s is not None else "period_s"
        text = f"a chamber stays over {OVER_THRESHOLD_MMHG:g} mmHg for {held_s:.1f} s, over the limit of {HOLD_MAX_S:g} s; shorten it"
        problems.append(Problem(key, getattr(program, key), text))
    vent_s = shortest_vent_s(wave, board)
    if vent_s < VENT_MIN_S:
        key = "rest_s" if program.rest_s is not None else "period_s"
        text = (
            f"a chamber has {vent_s:.1f} s between falling under {OVER_THRESHOLD_MMHG:g} mmHg and its next inflation, "
            f"under the limit of {VENT_MIN_S:g} s; lengthen it by {VENT_MIN_S - vent_s:.1f} s"
        )
        problems.append(Problem(key, getattr(program, key), text))
    steps = densest_steps(wave)
    if queue_depth and steps > queue_depth:
        text = f"asks for {steps} steps within {HORIZON_S:g} s, the queue of the wrap holds {queue_depth}; lengthen it"
        problems.append(Problem("inflate_s", program.inflate_s, text))
    return problems
