"""Whole sessions on simulated wraps: they end completed, or however they are ended, and always vented."""

import asyncio
from random import Random

import pytest
from tests.support.virtual_sessions import make_short_program, prepare_session, summarise
from tests.support.virtual_wraps import Station, VirtualWraps, run_wraps

from wavewrap_gateway.core.session import SessionState
from wavewrap_gateway.runtime.session_runner import Outcome, SessionRunner
from wavewrap_protocol.enums import DeviceState
from wavewrap_protocol.payloads import EndedHow
from wavewrap_sim.virtual_time import run_virtual

CYCLE_S = 9.0
START_WITHIN_S = 3.0
"""From the call to the first step: arming and the lead."""


def assert_safe(virtual: VirtualWraps) -> None:
    """The truth, not what anybody told: vented, and in a state in which the pump is off."""
    for station in virtual.stations:
        assert station.is_vented
        assert station.wrap.state is DeviceState.IDLE


def assert_nothing_left_running() -> None:
    names = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]  # every task here runs a coroutine
    assert not {name for name in names if name.startswith(("SessionRunner", "WrapRun", "_together"))}


def executed_at(station: Station) -> list[tuple[int, float]]:
    return [(step.seq, step.host_s) for step in station.steps() if step.outcome == "executed"]


def assert_complete(virtual: VirtualWraps, runner: SessionRunner, outcome: Outcome, cycles: int) -> None:
    assert (outcome.ended, outcome.vented) == (EndedHow.COMPLETED, True)
    assert runner.state is SessionState.ENDED
    for wrap in summarise(runner, outcome).wraps:
        assert wrap.steps.planned == wrap.steps.executed > 0
        assert wrap.steps.late == 0
        assert (wrap.cycles.planned, wrap.cycles.delivered) == (cycles, cycles)
        assert wrap.shortfalls == []
        assert wrap.samples.missing == 0
        assert wrap.samples.expected == wrap.samples.received + wrap.samples.replayed
        assert max(wrap.final_mmhg) < 5.0
    for station in virtual.stations:
        assert [step.seq for step in station.steps()] == list(range(len(station.steps())))
    assert_safe(virtual)
    assert_nothing_left_running()


def test_a_session_completes_on_both_wraps_alike() -> None:
    async def work() -> None:
        async with run_wraps(2) as virtual:
            runner = prepare_session(virtual, make_short_program(), 2 * CYCLE_S)
            outcome = await runner.run()
            assert_complete(virtual, runner, outcome, cycles=2)
            assert outcome.reason == "the program is over"
            assert outcome.duration_s == pytest.approx(2 * CYCLE_S, abs=0.5)
            assert runner.slips == 0
            summary = summarise(runner, outcome)
            for wrap in summary.wraps:
                assert wrap.target_mmhg == [40.0, 0.0, 40.0, 0.0]
                assert [abs(peak - target) < 3.0 for peak, target in zip(wrap.peak_mmhg, wrap.target_mmhg, strict=True)] == [True] * 4
            left, right = (executed_at(station) for station in virtual.stations)
            assert [seq for seq, _ in left] == [seq for seq, _ in right]
            skew_ms = [abs(one - other) * 1000.0 for (_, one), (_, other) in zip(left, right, strict=True)]
            assert max(skew_ms) < 2.0
            assert max(skew_ms) <= summary.skew_ms.max + 0.001

    run_virtual(work())


@pytest.mark.parametrize(("chambers", "used"), [(1, [1]), (8, [1, 4, 8])])
def test_any_number_of_chambers(chambers: int, used: list[int]) -> None:
    async def work() -> None:
        async with run_wraps(1, chambers=chambers) as virtual:
            runner = prepare_session(virtual, make_short_program(chambers=used), 2 * CYCLE_S)
            outcome = await runner.run()
            assert_complete(virtual, runner, outcome, cycles=runner.runs[0].wave.cycles)
            (wrap,) = summarise(runner, outcome).wraps
            assert len(wrap.peak_mmhg) == chambers
            assert [index + 1 for index, peak in enumerate(wrap.peak_mmhg) if peak > 30.0] == used

    run_virtual(work())


def test_eight_wraps_at_once() -> None:
    async def work() -> None:
        async with run_wraps(8) as virtual:
            runner = prepare_session(virtual, make_short_program(), CYCLE_S)
            outcome = await runner.run()
            assert_complete(virtual, runner, outcome, cycles=1)
            logs = [executed_at(station) for station in virtual.stations]
            for step in zip(*logs, strict=True):
                moments = [host_s for _, host_s in step]
                assert (max(moments) - min(moments)) * 1000.0 < 2.0

    run_virtual(work())


def test_alternating_limbs_take_turns() -> None:
    async def work() -> None:
        async with run_wraps(2) as virtual:
            program = make_short_program(pattern="alternating", chambers=None, hold_s=1, rest_s=None, period_s=24)
            runner = prepare_session(virtual, program, 24.0)
            outcome = await runner.run()
            assert_complete(virtual, runner, outcome, cycles=1)
            first = [executed_at(virtual.station_of(wrap))[0][1] for wrap in virtual.wraps]
            assert first[1] - first[0] == pytest.approx(12.0, abs=0.005)
            under_pressure = [
                {round(entry.host_s, 1) for entry in station.pressures() if max(entry.pressure_mmhg) > 15.0} for station in virtual.stations
            ]
            assert under_pressure[0]
            assert under_pressure[1]
            assert not under_pressure[0] & under_pressure[1]

    run_virtual(work())


@pytest.mark.parametrize("seed", range(6))
def test_a_stop_at_any_moment_ends_vented(seed: int) -> None:
    async def work() -> None:
        async with run_wraps(1 + seed % 2, seed=seed) as virtual:
            runner = prepare_session(virtual, make_short_program(), CYCLE_S)
            moment_s = Random(seed).uniform(0.0, START_WITHIN_S + CYCLE_S - 2.0)
            asyncio.get_running_loop().call_later(moment_s, runner.request_stop, "enough")
            asyncio.get_running_loop().call_later(moment_s + 0.1, runner.request_stop, "again")
            outcome = await runner.run()
            assert (outcome.ended, outcome.reason, outcome.vented) == (EndedHow.STOPPED, "enough", True)
            assert_safe(virtual)
            assert_nothing_left_running()
            done = [len(station.steps()) for station in virtual.stations]
            await asyncio.sleep(6.0)
            assert [len(station.steps()) for station in virtual.stations] == done
            assert_safe(virtual)

    run_virtual(work())


def test_a_stop_before_the_start_arms_nothing() -> None:
    async def work() -> None:
        async with run_wraps(1) as virtual:
            runner = prepare_session(virtual, make_short_program(), CYCLE_S)
            runner.request_stop("never mind")
            outcome = await runner.run()
            assert (outcome.ended, outcome.reason, outcome.vented) == (EndedHow.STOPPED, "never mind", True)
            assert [entry.state for entry in virtual.stations[0].states()] == ["idle"]
            assert_safe(virtual)

    run_virtual(work())


@pytest.mark.parametrize("moment_s", [0.0, 0.01, 0.5, 2.5, 5.0, 8.0])
def test_a_cancellation_vents_first(moment_s: float) -> None:
    async def work() -> None:
        async with run_wraps(2) as virtual:
            runner = prepare_session(virtual, make_short_program(), CYCLE_S)
            task = asyncio.create_task(runner.run())
            await asyncio.sleep(moment_s)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert runner.state in (SessionState.ENDED, SessionState.ARMING)
            assert_safe(virtual)
            assert_nothing_left_running()

    run_virtual(work())


def test_cancellations_while_venting_wait_and_are_passed_on() -> None:
    async def work() -> None:
        async with run_wraps(1) as virtual:
            runner = prepare_session(virtual, make_short_program(), CYCLE_S)
            task = asyncio.create_task(runner.run())
            await asyncio.sleep(5.0)
            assert max(virtual.stations[0].wrap.pressure_mmhg) > 30.0
            runner.request_stop("enough")
            for _ in range(3):
                await asyncio.sleep(0.2)
                assert not task.done()
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert runner.state is SessionState.ENDED
            assert_safe(virtual)

    run_virtual(work())


def test_the_ceiling_of_the_user_holds_on_the_device() -> None:
    async def work() -> None:
        async with run_wraps(1) as virtual:
            runner = prepare_session(virtual, make_short_program(), CYCLE_S, ceiling_mmhg=25.0)
            outcome = await runner.run()
            assert outcome.ended is EndedHow.COMPLETED
            (wrap,) = summarise(runner, outcome).wraps
            assert max(wrap.peak_mmhg) < 28.0
            assert wrap.cycles.delivered == 0
            assert len(wrap.shortfalls) == 2
            assert "chamber 1: 2" in wrap.shortfalls[0]

    run_virtual(work())


def test_progress_and_clock_of_a_session() -> None:
    async def work() -> None:
        async with run_wraps(1) as virtual:
            runner = prepare_session(virtual, make_short_program(), 2 * CYCLE_S)
            assert runner.state is SessionState.ARMING
            assert runner.elapsed_s() == 0.0
            task = asyncio.create_task(runner.run())
            await asyncio.sleep(12.0)
            progress = runner.progress()
            assert (progress.state, progress.cycle, progress.cycles, progress.duration_s) == ("running", 2, 2, 18.0)
            assert progress.elapsed_s == pytest.approx(11.0, abs=0.3)
            runner.request_stop("enough")
            outcome = await task
            assert runner.elapsed_s() == pytest.approx(11.0, abs=0.3)
            assert outcome.duration_s == pytest.approx(11.0, abs=0.3)

    run_virtual(work())
