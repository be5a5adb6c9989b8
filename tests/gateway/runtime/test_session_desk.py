"""Sessions beside each other, in virtual time: one on each wrap, each with its own word in the states, none left over."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

import pytest
from tests.support.virtual_sessions import RecordingPublisher, make_short_program
from tests.support.virtual_wraps import MakeWrap, VirtualWraps, run_wraps

from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.runtime.bridge import Bridge, Clocks
from wavewrap_gateway.runtime.session_desk import SessionDesk
from wavewrap_gateway.runtime.ticker import LoopTimer
from wavewrap_protocol.errors import LocalError, UsageError
from wavewrap_protocol.payloads import SessionSummary, Telemetry, WrapState
from wavewrap_sim.log import LogEntry
from wavewrap_sim.virtual_time import run_virtual
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

CYCLE_S = 9.0
PATIENCE_S = 2.0


@asynccontextmanager
async def at_the_desk(make_wrap: MakeWrap = SimulatedWrap) -> AsyncIterator[tuple[VirtualWraps, SessionDesk, RecordingPublisher]]:
    clock = asyncio.get_running_loop().time
    async with run_wraps(2, make_wrap=make_wrap) as virtual:
        publisher = RecordingPublisher(clock)
        bridge = Bridge("attic", 1, virtual.wraps, publisher, Clocks(clock, lambda host_s: host_s), Lateness(), idle_telemetry=False)
        desk = SessionDesk(bridge, publisher, Lateness(), LoopTimer(), clock, Random(1), ceiling_mmhg=80.0, patience_s=PATIENCE_S)
        running = asyncio.create_task(bridge.run())
        try:
            yield virtual, desk, publisher
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def load(_chambers: int, _queue_depth: int) -> Program:
    return make_short_program()


def refuse(_chambers: int, _queue_depth: int) -> Program:
    raise UsageError("no such program")


def test_each_wrap_plays_its_own_session_and_only_one() -> None:
    async def work() -> None:
        async with at_the_desk() as (virtual, desk, publisher):
            left, right = virtual.wraps
            first = desk.prepare([left], load, CYCLE_S)
            playing = asyncio.create_task(desk.play(first))
            await first.armed.wait()
            with pytest.raises(LocalError, match="stop that first"):
                desk.prepare([right, left], load, CYCLE_S)
            second = desk.prepare([right], load, 2 * CYCLE_S)
            also_playing = asyncio.create_task(desk.play(second))
            await asyncio.sleep(5.0)
            assert (desk.of(left), desk.of(right)) == (first, second)
            shown = {state.id: state.session for state in publisher.of(WrapState)}
            assert [shown[wrap.name].duration_s for wrap in (left, right)] == [CYCLE_S, 2 * CYCLE_S]  # type: ignore[union-attr]  # both play
            summary = await playing
            assert (summary.ended, [wrap.id for wrap in summary.wraps]) == ("completed", [left.name])
            assert (desk.of(left), desk.sessions) == (None, (second,))
            await asyncio.sleep(1.5)
            shown = {state.id: state.session for state in publisher.of(WrapState)}
            assert shown[left.name] is None
            assert shown[right.name] is not None
            assert (await also_playing).ended == "completed"
            assert desk.sessions == ()
            assert len(publisher.of(SessionSummary)) == 2

    run_virtual(work())


def with_a_small_battery(settings: WrapSettings, now_s: float, note: Callable[[LogEntry], None]) -> SimulatedWrap:
    """A wrap on whose charge a cycle shows."""
    battery = settings.board.battery
    small = battery.model_copy(update={"capacity_j": battery.capacity_j / 100.0})
    return SimulatedWrap(replace(settings, board=settings.board.model_copy(update={"battery": small})), now_s, note)


def test_the_record_has_the_charge_before_and_after() -> None:
    async def work() -> None:
        async with at_the_desk(with_a_small_battery) as (virtual, desk, _publisher):
            left, right = virtual.wraps
            at_link_pct = [wrap.link.battery_pct for wrap in (left, right)]
            await desk.play(desk.prepare([left, right], load, CYCLE_S))
            summary = await desk.play(desk.prepare([left, right], load, CYCLE_S))
            charges = [(wrap.battery_start_pct, wrap.battery_end_pct) for wrap in summary.wraps]
            for told_pct, (start_pct, end_pct), station in zip(at_link_pct, charges, virtual.stations, strict=True):
                # A session later: what the link was told at first is not the start of this one.
                assert told_pct is not None
                assert start_pct is not None
                assert end_pct == round(station.wrap.battery_pct)
                assert told_pct > start_pct > end_pct

    run_virtual(work())


def test_the_charge_of_a_wrap_out_of_reach_is_not_guessed() -> None:
    async def work() -> None:
        async with at_the_desk() as (virtual, desk, _publisher):
            left, right = virtual.wraps
            playing = asyncio.create_task(desk.play(desk.prepare([left, right], load, 3 * CYCLE_S)))
            await asyncio.sleep(5.0)
            virtual.stations[0].cut()
            summary = await playing
            gone, there = summary.wraps
            assert (gone.battery_start_pct is None, gone.battery_end_pct) == (False, None)
            assert there.battery_end_pct is not None

    run_virtual(work())


def test_samples_are_published_in_sessions_only_when_told_so() -> None:
    async def work() -> None:
        async with at_the_desk() as (virtual, desk, publisher):
            left, right = virtual.wraps
            await asyncio.sleep(3.0)
            assert publisher.of(Telemetry) == []
            await desk.play(desk.prepare([left], load, CYCLE_S))
            count = len(publisher.of(Telemetry, left.name))
            assert count > 50
            await asyncio.sleep(3.0)
            assert len(publisher.of(Telemetry, left.name)) == count
            assert publisher.of(Telemetry, right.name) == []

    run_virtual(work())


def test_a_program_that_is_refused_leaves_nothing_behind() -> None:
    async def work() -> None:
        async with at_the_desk() as (virtual, desk, _):
            before = [len(wrap._listeners) for wrap in virtual.wraps]
            with pytest.raises(UsageError):
                desk.prepare(virtual.wraps, refuse, None)
            assert desk.sessions == ()
            assert [len(wrap._listeners) for wrap in virtual.wraps] == before

    run_virtual(work())


def test_a_broker_that_stays_away_stops_every_session_and_a_short_absence_none() -> None:
    async def work() -> None:
        async with at_the_desk() as (virtual, desk, publisher):
            plays = [asyncio.create_task(desk.play(desk.prepare([wrap], load, 6 * CYCLE_S))) for wrap in virtual.wraps]
            await asyncio.sleep(5.0)
            publisher.lose_broker()
            await asyncio.sleep(PATIENCE_S - 0.5)
            publisher.find_broker()
            await asyncio.sleep(PATIENCE_S)
            assert len(desk.sessions) == 2
            publisher.lose_broker()
            for summary in await asyncio.gather(*plays):
                assert (summary.ended, summary.vented) == ("stopped", True)
                assert "the MQTT broker was gone for 2 s" in summary.reason

    run_virtual(work())
