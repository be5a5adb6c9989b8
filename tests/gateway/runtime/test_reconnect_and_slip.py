"""What a radio takes away for less than a lease: no step is repeated, skipped or late, and what has to move moves on every wrap alike."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from tests.support.programs import make_program
from tests.support.virtual_sessions import SESSION_ID, make_short_program, prepare_session, summarise
from tests.support.virtual_wraps import Station, run_wraps

from wavewrap_bench.virtual_bench import Device, open_bench
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_gateway.runtime.roster import find_wraps, linked
from wavewrap_gateway.runtime.session_runner import Outcome, SessionRunner
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol import uuids
from wavewrap_protocol.limits import LEASE_DEFAULT_MS, QUEUE_DEPTH_DEFAULT
from wavewrap_protocol.payloads import EndedHow, SessionSummary
from wavewrap_sim.firmware import Outgoing
from wavewrap_sim.log import LogEntry
from wavewrap_sim.pong_queue import DITHER_TICKS
from wavewrap_sim.scenario import Fade, Scenario
from wavewrap_sim.virtual_time import run_virtual
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

SECOND = "VIRTUAL-2"
FADE_AT_S = 12.0
SESSION_S = 24.0
LEASE_S = LEASE_DEFAULT_MS / 1000.0


def make_busy_program() -> Program:
    """Four chambers one after the other, a step every half second or so."""
    return make_program(pattern="travelling_wave", pressure_mmhg=30, inflate_s=0.6, hold_s=0.4, release_s=0.5, rest_s=1.5)


def carried_out(steps: Sequence[Device | Station]) -> list[list[tuple[int, int, str]]]:
    """Number, chamber and outcome of every step that each wrap dealt with, in order."""
    return [[(entry.seq, entry.chamber, entry.outcome) for entry in one.steps()] for one in steps]


def assert_nothing_lost(outcome: Outcome, summary: SessionSummary, wraps: Sequence[Device | Station], waves: Sequence[list[int]]) -> None:
    """Every step of the wave ran once, in order, in time, on every wrap."""
    assert (outcome.ended, outcome.vented) == (EndedHow.COMPLETED, True), outcome.reason
    for found, chambers in zip(carried_out(wraps), waves, strict=True):
        assert found == [(seq, chamber, "executed") for seq, chamber in enumerate(chambers)]
    for wrap in summary.wraps:
        assert (wrap.steps.executed, wrap.steps.late) == (wrap.steps.planned, 0)
        assert wrap.samples.missing == 0


@pytest.mark.parametrize(("seed", "fade_s"), [(1, 2.0), (2, 2.4), (3, 2.8), (4, 3.2), (5, 3.5)])
def test_a_fade_on_a_timed_radio_repeats_and_skips_no_step(seed: int, fade_s: float) -> None:
    async def play() -> None:
        fades = (Fade(at_s=FADE_AT_S, for_s=fade_s, wraps=(0,)),)
        scenario = Scenario(name="one-fade", interval_ms=15, event_loss_pct=5, fades=fades)
        async with open_bench(scenario, seed, 2, queue_depth=QUEUE_DEPTH_DEFAULT, pong_dither_tick=DITHER_TICKS) as bench:
            clock = asyncio.get_running_loop().time
            wraps = [Wrap(bench.radio, sighting, clock, bench.rng) for sighting in await find_wraps(bench.radio, 2)]
            program = make_busy_program()
            async with linked(wraps):
                runs = [WrapRun(wrap, compile_wave(program, wrap.side, 4, SESSION_S), SESSION_ID, 80.0, clock) for wrap in wraps]
                runner = SessionRunner("busy", runs, clock, Lateness())
                outcome = await runner.run()
                await asyncio.sleep(1.0)
            waves = [[step.chamber for step in run.wave.steps] for run in runs]
            assert_nothing_lost(outcome, summarise(runner, outcome), bench.devices, waves)

    run_virtual(play())


@pytest.mark.parametrize(("moment_s", "cut_s"), [(4.1, 2.0), (5.3, 2.5), (6.6, 3.0), (8.2, 3.5)])
def test_a_reconnect_in_mid_wave_repeats_and_skips_no_step(moment_s: float, cut_s: float) -> None:
    async def play() -> None:
        async with run_wraps(2) as virtual:
            runner = prepare_session(virtual, make_busy_program(), SESSION_S)
            session = asyncio.create_task(runner.run())
            await asyncio.sleep(moment_s)
            await virtual.stations[1].cut_for(cut_s)
            outcome = await session
            assert [wrap.link.counts.reconnects > 0 for wrap in virtual.wraps] == [False, True]
            waves = [[step.chamber for step in run.wave.steps] for run in runner.runs]
            assert_nothing_lost(outcome, summarise(runner, outcome), virtual.stations, waves)

    run_virtual(play())


class _ForgetfulAnswers(SimulatedWrap):
    """The answer to its second plan is lost; every plan that it gets is kept in ``plans``."""

    def __init__(self, settings: WrapSettings, now_s: float, log: Callable[[LogEntry], None]) -> None:
        super().__init__(settings, now_s, log)
        self.plans: list[bytes] = []

    def write(self, now_s: float, characteristic_uuid: str, data: bytes) -> list[Outgoing]:
        outgoing = super().write(now_s, characteristic_uuid, data)
        if characteristic_uuid == uuids.PLAN:
            self.plans.append(data)
            if len(self.plans) == 2:
                return [one for one in outgoing if one.characteristic != uuids.CONTROL]
        return outgoing


@pytest.mark.parametrize("cut", [False, True])
def test_a_plan_whose_answer_was_lost_is_sent_again_and_carried_out_once(*, cut: bool) -> None:
    async def play() -> None:
        async with run_wraps(2, make_wrap=_ForgetfulAnswers) as virtual:
            runner = prepare_session(virtual, make_busy_program(), SESSION_S)
            session = asyncio.create_task(runner.run())
            forgetful = virtual.stations[1]
            assert isinstance(forgetful.wrap, _ForgetfulAnswers)
            while len(forgetful.wrap.plans) < 2:  # noqa: ASYNC110  # the simulated wrap has no event for it
                await asyncio.sleep(0.01)
            if cut:
                await forgetful.cut_for(2.0)
            outcome = await session
            plans = forgetful.wrap.plans
            assert plans[1] == plans[2], "the same plan, with the same cmd_id"
            assert len({plan[:2] for plan in plans}) == len(plans) - 1
            waves = [[step.chamber for step in run.wave.steps] for run in runner.runs]
            assert_nothing_lost(outcome, summarise(runner, outcome), virtual.stations, waves)

    run_virtual(play())


def make_second_queueless(settings: WrapSettings, now_s: float, log: Callable[[LogEntry], None]) -> SimulatedWrap:
    return SimulatedWrap(replace(settings, queue_depth=0) if settings.serial == SECOND else settings, now_s, log)


def test_a_wrap_with_and_one_without_a_queue_play_together_through_a_pause() -> None:
    async def play() -> None:
        async with run_wraps(2, make_wrap=make_second_queueless) as virtual:
            virtual.air.delay(virtual.stations[1].controller, 0.0075)
            runner = prepare_session(virtual, make_short_program(), 27.0)
            session = asyncio.create_task(runner.run())
            await asyncio.sleep(5.0)
            await runner.pause()
            await asyncio.sleep(5.0)
            assert all(station.is_vented for station in virtual.stations)
            await runner.boost(-5.0)
            await runner.resume()
            outcome = await session
            assert (outcome.ended, outcome.vented) == (EndedHow.COMPLETED, True), outcome.reason
            left, right = carried_out(virtual.stations)
            assert left == right
            assert {result for _, _, result in left} == {"executed"}
            queued, driven = ([entry.host_s for entry in station.steps()] for station in virtual.stations)
            assert max(abs(one - other) for one, other in zip(queued, driven, strict=True)) < 0.015
            assert [wrap.steps.late for wrap in summarise(runner, outcome).wraps] == [0, 0]

    run_virtual(play())


def test_an_inflation_that_a_stall_made_too_late_is_dropped_and_counted_on_the_wrap_without_a_queue() -> None:
    async def play() -> None:
        async with run_wraps(2, make_wrap=make_second_queueless) as virtual:
            runner = prepare_session(virtual, make_busy_program(), SESSION_S)
            session = asyncio.create_task(runner.run())
            await asyncio.sleep(6.0)
            driven = virtual.stations[1]
            virtual.air.stall(driven.controller)
            await asyncio.sleep(2.8)
            driven.restore()
            outcome = await session
            assert (outcome.ended, outcome.vented) == (EndedHow.COMPLETED, True), outcome.reason
            queued, late = summarise(runner, outcome).wraps
            assert (queued.steps.late, queued.steps.executed) == (0, queued.steps.planned)
            assert late.steps.planned == queued.steps.planned
            assert 1 <= late.steps.late <= 6
            sent = runner.runs[1].scheduler.sent
            assert late.steps.planned - len(sent) >= 1, "not sent at all"
            assert sum(step.wave.target_mmhg == 0.0 for step in sent) == late.steps.planned // 2, "every release was sent"
            assert runner.slips == 0

    run_virtual(play())
