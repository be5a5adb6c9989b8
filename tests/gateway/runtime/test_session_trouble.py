"""Sessions in trouble: faults, reboots, lost links, a bad clock. What cannot go on ends vented; what can, lengthens no hold."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.virtual_sessions import make_short_program, prepare_session, summarise
from tests.support.virtual_wraps import Station, run_wraps, until

from wavewrap_gateway.core.session import SessionState
from wavewrap_gateway.runtime.acknowledging import acknowledge_fault, ask_fault
from wavewrap_gateway.runtime.plan_feed import CLOCK_UNCERTAINTY_MAX_S
from wavewrap_gateway.runtime.session_runner import VENT_S
from wavewrap_protocol.commands import Arm
from wavewrap_protocol.enums import DeviceState, Fault, Result
from wavewrap_protocol.limits import LEASE_DEFAULT_MS
from wavewrap_protocol.payloads import EndedHow
from wavewrap_sim.faults import ChamberFault
from wavewrap_sim.log import LogEntry
from wavewrap_sim.virtual_time import run_virtual
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

CYCLE_S = 9.0
MID_HOLD_S = 5.5
"""From the call on: armed, a second of lead, 2 s and 2 s of inflation, into the hold of 1 s."""

LEASE_S = LEASE_DEFAULT_MS / 1000.0
HOSE_OFF = ChamberFault(kind="hose_off", chamber=1, at_s=0.0)


def make_open_right(settings: WrapSettings, now_s: float, log: Callable[[LogEntry], None]) -> SimulatedWrap:
    """The second wrap's first hose is off."""
    return SimulatedWrap(replace(settings, faults=(HOSE_OFF,)) if settings.serial == "VIRTUAL-2" else settings, now_s, log)


def causes(station: Station) -> list[str]:
    return [entry.cause for entry in station.states()]


def holds_s(station: Station) -> list[float]:
    """True time from each inflation to the release of the same chamber."""
    begun: dict[int, float] = {}
    found: list[float] = []
    for step in station.steps():
        if step.outcome in ("executed", "released_late"):
            if step.chamber in begun:
                found.append(step.host_s - begun.pop(step.chamber))
            else:
                begun[step.chamber] = step.host_s
    assert not begun
    return found


def test_a_fault_of_one_wrap_vents_all() -> None:
    async def work() -> None:
        async with run_wraps(2, make_wrap=make_open_right) as virtual:
            runner = prepare_session(virtual, make_short_program(chambers=[1], hold_s=8), 14.0)
            outcome = await runner.run()
            assert outcome.ended is EndedHow.FAULTED
            assert outcome.reason.startswith("virtual-2 vents with the fault NO_RISE: air went in and no pressure came up: check")
            assert outcome.vented
            healthy, weak = virtual.stations
            assert [fault.fault for fault in weak.faults()] == ["no_rise"]
            assert weak.wrap.state is DeviceState.FAULT
            assert healthy.wrap.state is DeviceState.IDLE
            assert "stop" in causes(healthy)
            assert healthy.is_vented
            assert weak.is_vented
            stopped_s = next(entry.host_s for entry in healthy.states() if entry.cause == "stop")
            assert stopped_s - weak.faults()[0].host_s < 0.5
            again = await prepare_session(virtual, make_short_program(), CYCLE_S).run()
            assert (again.ended, again.vented) == (EndedHow.FAULTED, True)
            assert again.reason.startswith("virtual-2 has the fault NO_RISE: air went in and no pressure came up: check that every hose")
            assert again.reason.endswith("when that is done, run 'wavewrap acknowledge'")
            assert healthy.is_vented
            fine, broken = virtual.wraps
            assert await ask_fault(fine) is None
            assert await ask_fault(broken) is Fault.NO_RISE
            await acknowledge_fault(broken, Fault.NO_RISE)
            assert await ask_fault(broken) is None
            assert [entry.state for entry in weak.states()][-1] == "idle"

    run_virtual(work())


def test_the_first_failure_ends_the_rounds_of_all() -> None:
    """A wrap out of reach must not find its lease renewed when it comes back to a session that is over."""

    async def work() -> None:
        async with run_wraps(2, make_wrap=make_open_right) as virtual:
            runner = prepare_session(virtual, make_short_program(chambers=[1], hold_s=8), 14.0)
            task = asyncio.create_task(runner.run())
            far, weak = virtual.stations
            await until(lambda: weak.wrap.state is DeviceState.RUNNING)
            await asyncio.sleep(0.1)
            far.cut()
            await until(lambda: runner.state is SessionState.ENDING)
            await asyncio.sleep(0.01)
            running = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]  # all run coroutines
            assert not {name for name in running if name.startswith("SessionRunner._keep")}
            far.restore()
            outcome = await task
            assert (outcome.ended, outcome.vented) == (EndedHow.FAULTED, True)
            assert "NO_RISE" in outcome.reason

    run_virtual(work())


def test_a_wrap_that_is_in_another_session_refuses_and_the_rest_is_vented() -> None:
    async def work() -> None:
        async with run_wraps(2) as virtual:
            answer = await virtual.wraps[1].link.command(Arm(0xF00, 5_000, 6_000))
            assert answer.result is Result.OK
            outcome = await prepare_session(virtual, make_short_program(), CYCLE_S).run()
            assert (outcome.ended, outcome.vented) == (EndedHow.FAULTED, True)
            assert "virtual-2 refused ARM: WRONG_STATE" in outcome.reason
            assert [station.wrap.state for station in virtual.stations] == [DeviceState.IDLE] * 2

    run_virtual(work())


def test_a_reboot_ends_the_session() -> None:
    async def work() -> None:
        async with run_wraps(2) as virtual:
            runner = prepare_session(virtual, make_short_program(), 2 * CYCLE_S)
            task = asyncio.create_task(runner.run())
            await asyncio.sleep(MID_HOLD_S)
            assert max(virtual.stations[0].wrap.pressure_mmhg) > 30.0
            virtual.stations[0].reboot()
            outcome = await task
            assert (outcome.ended, outcome.vented) == (EndedHow.FAULTED, True)
            assert outcome.reason == "virtual-1 restarted during the session and has vented: start again"
            assert all(station.is_vented for station in virtual.stations)
            summary = summarise(runner, outcome)
            for wrap in summary.wraps:
                assert max(wrap.peak_mmhg) > 30.0
                assert max(wrap.final_mmhg) < 5.0
            await asyncio.sleep(3.0)
            again = await prepare_session(virtual, make_short_program(), CYCLE_S).run()
            assert again.ended is EndedHow.COMPLETED

    run_virtual(work())


@pytest.mark.parametrize("moment_s", [0.3, 2.5, MID_HOLD_S, 7.0])
def test_a_link_lost_for_three_seconds_costs_nothing(moment_s: float) -> None:
    async def work() -> None:
        async with run_wraps(2) as virtual:
            runner = prepare_session(virtual, make_short_program(), 2 * CYCLE_S)
            task = asyncio.create_task(runner.run())
            await asyncio.sleep(moment_s)
            await virtual.stations[1].cut_for(3.0)
            outcome = await task
            assert (outcome.ended, outcome.reason, outcome.vented) == (EndedHow.COMPLETED, "the program is over", True)
            for wrap in summarise(runner, outcome).wraps:
                assert wrap.steps.planned == wrap.steps.executed == 8
                assert wrap.steps.late == 0
                assert wrap.samples.missing == 0
                assert wrap.cycles.delivered == 2
            assert summarise(runner, outcome).wraps[1].samples.replayed > 100
            assert virtual.wraps[1].link.lost_reports == 0
            for station in virtual.stations:
                carried_out = [step.seq for step in station.steps() if step.outcome != "flushed"]
                assert carried_out == list(range(8))
                assert holds_s(station) == pytest.approx([5.0, 3.0] * 2, abs=0.002)

    run_virtual(work())


def test_a_link_lost_for_longer_than_the_lease_ends_the_session_vented() -> None:
    async def work() -> None:
        async with run_wraps(2) as virtual:
            clock = asyncio.get_running_loop().time
            runner = prepare_session(virtual, make_short_program(hold_s=20), 28.0)
            task = asyncio.create_task(runner.run())
            await asyncio.sleep(MID_HOLD_S)
            cut_s = clock()
            near, far = virtual.stations
            await far.cut_for(10.0)
            outcome = await task
            assert outcome.ended is EndedHow.FAULTED
            assert outcome.reason == (
                "virtual-2 was out of reach until its lease ended and vents by itself: bring it nearer and start again"
            )
            assert outcome.vented
            assert far.is_vented
            assert near.is_vented
            ended = {station.wrap.settings.serial: entry for station in virtual.stations for entry in station.states()}
            assert "lease_end" in causes(far)
            assert "lease_end" not in causes(near)
            left_s = next(entry.host_s for entry in far.states() if entry.cause == "lease_end") - cut_s
            assert LEASE_S - 1.5 <= left_s <= LEASE_S
            stopped_s = next(entry.host_s for entry in near.states() if entry.cause == "stop") - cut_s
            assert stopped_s <= LEASE_S + 0.5
            assert ended["VIRTUAL-2"].state == "idle"

    run_virtual(work())


def test_a_wrap_that_never_comes_back_is_not_called_vented() -> None:
    async def work() -> None:
        async with run_wraps(2) as virtual:
            clock = asyncio.get_running_loop().time
            runner = prepare_session(virtual, make_short_program(), 2 * CYCLE_S)
            task = asyncio.create_task(runner.run())
            await asyncio.sleep(MID_HOLD_S)
            virtual.stations[1].cut()
            begun_s = clock()
            outcome = await task
            assert clock() - begun_s <= LEASE_S + VENT_S + 1.0
            assert (outcome.ended, outcome.vented) == (EndedHow.FAULTED, False)
            assert runner.state is SessionState.ENDED
            assert all(station.is_vented for station in virtual.stations)

    run_virtual(work())


def test_a_radio_that_is_gone_for_good_ends_the_session_with_the_lease_and_is_never_called_vented() -> None:
    async def work() -> None:
        async with run_wraps(1) as virtual:
            clock = asyncio.get_running_loop().time
            runner = prepare_session(virtual, make_short_program(), 2 * CYCLE_S)
            task = asyncio.create_task(runner.run())
            await asyncio.sleep(MID_HOLD_S)
            virtual.gateway.source.on_transport_lost()
            virtual.air.cut(virtual.gateway.controller)
            begun_s = clock()
            outcome = await task
            assert clock() - begun_s <= LEASE_S + VENT_S + 1.0
            assert (outcome.ended, outcome.vented) == (EndedHow.FAULTED, False)
            assert outcome.reason.startswith("virtual-1 ")
            await asyncio.sleep(LEASE_S + 4.0)
            assert virtual.stations[0].is_vented
            assert "lease_end" in causes(virtual.stations[0])

    run_virtual(work())


def test_on_a_bad_clock_nothing_is_scheduled_and_all_wraps_slip_alike() -> None:
    async def work() -> None:
        async with run_wraps(2) as virtual:
            slow = virtual.stations[1]
            virtual.wraps[1].link.clock_sync.reset(virtual.wraps[1].link.clock_sync.boot_id)
            virtual.air.delay(slow.controller, 0.12)
            await asyncio.sleep(3.0)
            estimate = virtual.wraps[1].link.clock_sync.estimate
            assert estimate is not None
            assert estimate.uncertainty_s > CLOCK_UNCERTAINTY_MAX_S
            runner = prepare_session(virtual, make_short_program(), 2 * CYCLE_S)
            task = asyncio.create_task(runner.run())
            await asyncio.sleep(6.0)
            assert slow.steps() == []
            assert runner.slips > 0
            assert runner.state is SessionState.RUNNING
            virtual.air.delay(slow.controller, 0.0)
            outcome = await task
            assert (outcome.ended, outcome.vented) == (EndedHow.COMPLETED, True)
            for wrap in summarise(runner, outcome).wraps:
                assert wrap.steps.planned == wrap.steps.executed == 8
                assert wrap.steps.late == 0
                assert wrap.cycles.delivered == 2
            moments = [[step.host_s for step in station.steps() if step.outcome == "executed"] for station in virtual.stations]
            assert [one - other for one, other in zip(*moments, strict=True)] == pytest.approx([0.0] * 8, abs=0.005)
            for station in virtual.stations:
                assert holds_s(station) == pytest.approx([5.0, 3.0] * 2, abs=0.005)

    run_virtual(work())
