"""Pause, resume and boost on running wraps, and a wrap without a queue: judged by what the simulated wraps truly did."""

import asyncio
from pathlib import Path
from random import Random

import pytest
from tests.support.virtual_sessions import make_short_program, prepare_session, summarise
from tests.support.virtual_wraps import VirtualWraps, run_wraps

from wavewrap_bench.timing_methods import dense_wave
from wavewrap_bench.virtual_bench import open_bench
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.session import SessionState
from wavewrap_gateway.runtime.roster import find_wraps, linked
from wavewrap_gateway.runtime.session_runner import SessionRunner
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol.errors import LocalError
from wavewrap_protocol.payloads import EndedHow
from wavewrap_sim.pong_queue import DITHER_TICKS
from wavewrap_sim.scenario import load_scenario
from wavewrap_sim.virtual_time import run_virtual

STEPS = 150
CLEAN = Path(__file__).parents[2] / "scenarios" / "clean.toml"


def peaks_between(virtual: VirtualWraps, begin_s: float, end_s: float) -> list[float]:
    """Highest true pressure of each wrap in that span."""
    return [
        max(max(entry.pressure_mmhg) for entry in station.pressures() if begin_s <= entry.host_s <= end_s) for station in virtual.stations
    ]


def test_a_pause_releases_every_wrap_and_resume_goes_on_without_a_late_step() -> None:
    async def play() -> None:
        clock = asyncio.get_running_loop().time
        async with run_wraps(2) as virtual:
            runner = prepare_session(virtual, make_short_program(), 27.0)
            session = asyncio.create_task(runner.run())
            await asyncio.sleep(14.0)
            await runner.pause()
            assert runner.state is SessionState.PAUSED
            paused_s, elapsed_s = clock(), runner.elapsed_s()
            await asyncio.sleep(10.0)
            assert max(peaks_between(virtual, paused_s + 4.0, clock())) < 6.0, "released within seconds, and it stays so"
            assert runner.elapsed_s() == pytest.approx(elapsed_s, abs=1.0)
            assert {station.wrap.state.name for station in virtual.stations} == {"RUNNING"}, "the leases go on"
            await runner.resume()
            outcome = await session
            summary = summarise(runner, outcome)
            assert (outcome.ended, outcome.vented) == (EndedHow.COMPLETED, True), outcome.reason
            assert [wrap.steps.late for wrap in summary.wraps] == [0, 0]
            assert min(peaks_between(virtual, paused_s + 10.0, clock())) > 35.0, "it went on"
            left, right = ([(entry.seq, entry.chamber) for entry in station.steps()] for station in virtual.stations)
            assert left == right

    run_virtual(play())


def test_a_lower_boost_reaches_a_hold_and_a_higher_one_the_next_cycle() -> None:
    async def play() -> None:
        clock = asyncio.get_running_loop().time
        async with run_wraps(2) as virtual:
            runner = prepare_session(virtual, make_short_program(hold_s=6), 56.0, ceiling_mmhg=50.0)
            session = asyncio.create_task(runner.run())
            await asyncio.sleep(6.0)
            begun_s = clock()
            await runner.boost(-10.0)
            assert runner.boost_mmhg() == -10.0
            await asyncio.sleep(3.0)
            assert max(peaks_between(virtual, begun_s + 2.9, clock())) < 34.0
            await runner.boost(30.0)
            assert runner.boost_mmhg() == 10.0, "no higher than the ceiling lets it"
            outcome = await session
            assert (outcome.ended, outcome.vented) == (EndedHow.COMPLETED, True), outcome.reason
            assert all(47.0 < peak < 53.0 for peak in peaks_between(virtual, begun_s + 12.0, clock()))

    run_virtual(play())


def test_commands_at_the_wrong_time_are_refused_in_plain_words() -> None:
    async def play() -> None:
        async with run_wraps(1) as virtual:
            runner = prepare_session(virtual, make_short_program(), 9.0)
            with pytest.raises(LocalError, match="pause: the session is arming"):
                await runner.pause()
            session = asyncio.create_task(runner.run())
            await asyncio.sleep(4.0)
            with pytest.raises(LocalError, match="resume: the session is running"):
                await runner.resume()
            with pytest.raises(LocalError, match="chamber 9 of 4"):
                await runner.boost(5.0, 8)
            await session
            with pytest.raises(LocalError, match="pause: the session is ended"):
                await runner.pause()

    run_virtual(play())


@pytest.mark.parametrize("seed", [1, 2])
def test_commands_at_any_moment_leave_both_legs_alike_and_vented(seed: int) -> None:
    async def play() -> None:
        rng = Random(seed)
        async with run_wraps(2, seed=seed) as virtual:
            runner = prepare_session(virtual, make_short_program(), 36.0)
            session = asyncio.create_task(runner.run())
            await asyncio.sleep(1.5)
            while not session.done() and runner.elapsed_s() < 30.0:
                await asyncio.sleep(rng.uniform(0.2, 3.0))
                if runner.state not in (SessionState.RUNNING, SessionState.PAUSED):
                    continue
                if rng.random() < 0.5:
                    await runner.boost(rng.choice([-5.0, 5.0]))
                elif runner.state is SessionState.PAUSED:
                    await runner.resume()
                else:
                    await runner.pause()
            if runner.state is SessionState.PAUSED:
                await runner.resume()
            outcome = await session
            assert (outcome.ended, outcome.vented) == (EndedHow.COMPLETED, True), outcome.reason
            steps = [[entry for entry in station.steps() if entry.outcome != "flushed"] for station in virtual.stations]
            told_left, told_right = ([(one.seq, one.chamber, one.outcome) for one in side] for side in steps)
            assert told_left == told_right
            assert max(abs(left.host_s - right.host_s) for left, right in zip(*steps, strict=True)) < 0.005
            assert max(max(entry.pressure_mmhg) for station in virtual.stations for entry in station.pressures()) < 65.0

    run_virtual(play())


def test_a_wrap_without_a_queue_is_driven_with_a_predicted_lead() -> None:
    async def play() -> tuple[list[float], int]:
        async with open_bench(load_scenario(CLEAN), 5, 1, queue_depth=0, pong_dither_tick=DITHER_TICKS) as bench:
            clock = asyncio.get_running_loop().time
            wrap = Wrap(bench.radio, (await find_wraps(bench.radio, 1))[0], clock, bench.rng)
            async with linked([wrap]):
                run = WrapRun(wrap, dense_wave(STEPS, 0.2, 5), 9, 80.0, clock)
                outcome = await SessionRunner("dense", [run], clock, Lateness()).run()
            assert (outcome.ended, outcome.vented) == (EndedHow.COMPLETED, True), outcome.reason
            ran = {entry.seq: entry for entry in bench.devices[0].steps()}
            assert {entry.outcome for entry in ran.values()} == {"executed"}
            # The four releases at the end stand 10 ms apart, which one write after the other cannot follow.
            return [abs(ran[step.seq].host_s - step.due_s) for step in run.scheduler.sent[:STEPS]], len(run.scheduler.sent)

    errors_s, planned = run_virtual(play())
    assert planned == STEPS + 4
    assert sorted(errors_s)[int(0.99 * len(errors_s))] < 1.5 * 0.015
