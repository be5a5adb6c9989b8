"""Plays the program of a recorded session again, on simulated wraps in virtual time, and measures how the recorded session differs.

What is played is the program as it was picked, for as long as the recorded session lasted. What people did to that one (pauses, boosts)
and what befell it (slips, faults) is not played again: it shows as a difference. The simulated wraps are built like the reference board
with as many chambers; a real wrap differs from them by its bladders, hoses, valves and the leg in it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavewrap_bench.virtual_bench import Bench, Build, open_bench
from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_gateway.core.account import SessionAccount
from wavewrap_gateway.core.dose import ChamberDifference, compare_doses, measure_dose
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.recorded_session import RecordedSession
from wavewrap_gateway.core.wave import Wave, compile_wave
from wavewrap_gateway.runtime.roster import find_wraps, linked
from wavewrap_gateway.runtime.session_runner import Outcome, SessionRunner
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol.errors import LinkError, UsageError
from wavewrap_protocol.limits import QUEUE_DEPTH_DEFAULT, SESSION_MAX_S
from wavewrap_protocol.payloads import EndedHow
from wavewrap_protocol.units import CMMHG_PER_MMHG, TICKS_PER_S
from wavewrap_sim.pong_queue import DITHER_TICKS
from wavewrap_sim.scenario import Scenario
from wavewrap_sim.virtual_time import run_virtual

__all__ = ["ReplayReport", "WrapDifference", "replay_session"]

SUBSTEP_S = 0.005
"""Of the plant: within 0.1 mmHg of a fine one while pressures move."""

SETTING_UP_S = 120.0
"""Longest time around the session itself: finding, linking, arming, venting."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WrapDifference:
    """One recorded wrap and its simulated counterpart, over the time that both have; lists are per chamber, distal first.

    ``rms_mmhg`` and ``most_mmhg``: of recorded minus replayed pressure at the same second of the session; ``dose`` likewise.
    """

    name: str
    side: str
    compared_s: float
    rms_mmhg: list[float]
    most_mmhg: list[float]
    dose: list[ChamberDifference]


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What the replay of ``session`` found."""

    session: str
    program: str
    scenario: str
    seed: int
    played_s: float
    wraps: list[WrapDifference]

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def replay_session(session: RecordedSession, scenario: Scenario, seed: int) -> ReplayReport:
    """Play the program of ``session`` in ``scenario``. Raises :class:`UsageError` when there is nothing to compare with."""
    if not any(side.account.carried_out for side in session.sides):
        raise UsageError(f"session {session.head.session_id} never began: no step of it was carried out, so there is nothing to compare")
    waves = _waves(session)
    played_s = max(wave.duration_s for wave in waves)
    accounts = run_virtual(_play(session, waves, scenario, seed), SESSION_MAX_S + SETTING_UP_S)
    wraps = [
        _compare(side.wrap.name, side.wrap.side.value, side.account, replayed)
        for side, replayed in zip(session.sides, accounts, strict=True)
        if side.account.carried_out
    ]
    return ReplayReport(session.head.session_id, session.head.program.name, scenario.name, seed, played_s, wraps)


def _waves(session: RecordedSession) -> list[Wave]:
    """The program for each wrap, as many whole cycles as the recorded session began."""
    head = session.head
    lasted_s = max(_second_of(side.account, side.account.samples()[0][-1]) for side in session.sides if side.account.carried_out)
    waves = [compile_wave(head.program, wrap.side, wrap.chambers, head.planned_s) for wrap in head.wraps]
    cycles = min(max(1, ceil(lasted_s / waves[0].cycle_s)), waves[0].cycles)
    if cycles == waves[0].cycles:
        return waves
    return [compile_wave(head.program, wrap.side, wrap.chambers, cycles * waves[0].cycle_s) for wrap in head.wraps]


async def _play(session: RecordedSession, waves: Sequence[Wave], scenario: Scenario, seed: int) -> list[SessionAccount]:
    board = load_board(REFERENCE_BOARD)
    builds = [Build(wrap.side, board.with_chambers(wrap.chambers)) for wrap in session.head.wraps]
    async with open_bench(
        scenario,
        seed,
        len(builds),
        queue_depth=QUEUE_DEPTH_DEFAULT,
        pong_dither_tick=DITHER_TICKS,
        builds=builds,
        substep_s=SUBSTEP_S,
    ) as bench:
        clock = asyncio.get_running_loop().time
        wraps = [Wrap(bench.radio, sighting, clock, bench.rng) for sighting in await find_wraps(bench.radio, len(builds))]
        async with linked(wraps):
            in_turn = sorted(wraps, key=lambda wrap: _number_of(bench, wrap))
            ceiling_mmhg = session.head.ceiling_mmhg
            runs = [WrapRun(wrap, wave, session.head.number, ceiling_mmhg, clock) for wrap, wave in zip(in_turn, waves, strict=True)]
            outcome: Outcome = await SessionRunner(session.head.program.name, runs, clock, Lateness()).run()
    if outcome.ended is not EndedHow.COMPLETED:
        raise LinkError(f"the replay was {outcome.ended.value}: {outcome.reason}")
    return [run.account for run in runs]


def _number_of(bench: Bench, wrap: Wrap) -> int:
    assert wrap.link.identity is not None  # its link is ready
    return [device.serial for device in bench.devices].index(wrap.link.identity.serial)


def _second_of(account: SessionAccount, tick: int) -> float:
    """Second of the session, slips and pauses counted in, at ``tick`` of its line."""
    first = account.carried_out[0]
    assert first.actual_tick is not None
    return (int(tick) - first.actual_tick) / TICKS_PER_S + first.wave.at_s


def _cut(account: SessionAccount, until_s: float) -> SessionAccount:
    """``account`` up to second ``until_s`` of its session."""
    ticks, pressure_mmhg = account.samples()
    inside = _curves(account)[0] <= until_s
    shorter = SessionAccount(account.wave)
    shorter.add_samples(ticks[inside], np.rint(pressure_mmhg[inside] * CMMHG_PER_MMHG).astype(np.int16))
    steps = [(step, step.actual_tick) for step in account.carried_out if step.actual_tick is not None]
    shorter.add_steps(step for step, tick in steps if _second_of(account, tick) <= until_s)
    return shorter


def _compare(name: str, side: str, recorded: SessionAccount, replayed: SessionAccount) -> WrapDifference:
    (mine_s, mine_mmhg), (theirs_s, theirs_mmhg) = _curves(recorded), _curves(replayed)
    from_s, until_s = max(mine_s[0], theirs_s[0]), min(mine_s[-1], theirs_s[-1])
    inside = (mine_s >= from_s) & (mine_s <= until_s)
    apart = np.stack(
        [mine_mmhg[inside, at] - np.interp(mine_s[inside], theirs_s, theirs_mmhg[:, at]) for at in range(mine_mmhg.shape[1])], axis=1
    )
    doses = [measure_dose(_cut(account, float(until_s))) for account in (recorded, replayed)]
    return WrapDifference(
        name,
        side,
        round(float(until_s - from_s), 2),
        [round(float(value), 2) for value in np.sqrt(np.mean(apart**2, axis=0))],
        [round(float(value), 2) for value in np.abs(apart).max(axis=0)],
        compare_doses(*doses),
    )


def _curves(account: SessionAccount) -> tuple[Floats, Floats]:
    ticks, pressure_mmhg = account.samples()
    return (ticks - ticks[0]) / TICKS_PER_S + _second_of(account, int(ticks[0])), pressure_mmhg
