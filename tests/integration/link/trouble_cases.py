"""Sessions over a real link, and what may befall it: each trouble has its state, its counter and its way back, and the wraps end vented.

Each case takes a rig whose wraps may have been paired before (see ``PAIRED`` in :mod:`tests.integration.link.rigs`).
"""

import asyncio

from tests.support.link_rig import LinkRig, Trouble
from tests.support.rig_sessions import CYCLE_S, LinkedWraps, linked_wraps, pair_all, short_program, sight, until

from wavewrap_gateway.core.link_state import Lost, RadioDown, Ready
from wavewrap_gateway.runtime.link_events import LinkChanged
from wavewrap_gateway.runtime.session_runner import Outcome, SessionRunner
from wavewrap_protocol import uuids
from wavewrap_protocol.limits import LEASE_DEFAULT_MS
from wavewrap_protocol.payloads import EndedHow, SessionSummary

__all__ = ["CASES"]

LEASE_S = LEASE_DEFAULT_MS / 1000.0
SESSION_S = 60.0
LONG_HOLD_S = 25.0
BACK_S = 15.0
"""Longest way back to ready once a trouble is over."""

CONNECTS = 20


def assert_flawless(summary: SessionSummary) -> None:
    """Every sample, every step, none late."""
    assert (summary.ended, summary.vented) == (EndedHow.COMPLETED, True), summary.reason
    for wrap in summary.wraps:
        assert wrap.samples.missing == 0
        assert wrap.samples.received > 0
        assert wrap.steps.late == 0
        assert wrap.steps.executed == wrap.steps.planned > 0


async def wait_for_hold(rig: LinkRig) -> None:
    """Until every wrap truly holds pressure."""
    async with asyncio.timeout(30.0):
        for index in range(len(rig.wraps)):
            while not (await rig.truth(index)).holding:  # noqa: ASYNC110  # the truth has no events
                await asyncio.sleep(0.2)


async def ready_again(rig: LinkRig, links: LinkedWraps, since: str) -> float:
    """Seconds until every link is ready, :data:`BACK_S` at most."""
    took_s = await until(lambda: all(isinstance(wrap.link.state, Ready) for wrap in links.wraps), BACK_S, f"way back after {since}")
    rig.notes.append(f"{since}: ready again after {took_s:.1f} s")
    return took_s


def was_told(links: LinkedWraps, wrap: int, state: type[Lost | RadioDown]) -> bool:
    """Whether the link told that it was in ``state``."""
    return any(isinstance(event, LinkChanged) and isinstance(event.state, state) for event in links.told[wrap])


async def a_session_of_a_minute_misses_nothing(rig: LinkRig) -> None:
    """The common case: no trouble at all."""
    async with linked_wraps(rig) as links:
        runner = links.prepare("recovery", SESSION_S)
        summary = links.summarise(runner, await runner.run())
        assert_flawless(summary)
        for index, wrap in enumerate(summary.wraps):
            rig.notes.append(
                f"session of {summary.duration_s:.0f} s, {wrap.side.value}: "
                f"{wrap.samples.received} samples, {wrap.samples.missing} missing, "
                f"{wrap.steps.executed} of {wrap.steps.planned} steps, {wrap.steps.late} late, p99 {wrap.timing_ms.p99:.2f} ms"
            )
            assert set((await rig.truth(index)).outcomes) == {"executed"}


async def a_fade_of_a_second_and_a_half_is_survived(rig: LinkRig) -> None:
    """The supervision timeout that wraps ask for, 4 s, outlives it: the link is never lost."""
    async with linked_wraps(rig) as links:
        runner = links.prepare(short_program(), 2 * CYCLE_S)
        playing = asyncio.create_task(runner.run())
        await asyncio.sleep(4.0)
        await rig.fade(0, 1.5)
        summary = links.summarise(runner, await playing)
        assert_flawless(summary)
        assert [wrap.link.counts.losses for wrap in links.wraps] == [0] * len(links.wraps)
        rig.notes.append(f"fade of 1.5 s: 0 losses, {summary.wraps[0].samples.missing} samples missing, {summary.slips} slips")


async def play_long_hold(links: LinkedWraps, rig: LinkRig) -> tuple[SessionRunner, "asyncio.Task[Outcome]"]:
    """A session that is in its hold."""
    runner = links.prepare(short_program(LONG_HOLD_S), CYCLE_S + LONG_HOLD_S)
    playing = asyncio.create_task(runner.run())
    await wait_for_hold(rig)
    return runner, playing


async def assert_vented_by_lease(rig: LinkRig, wrap: int, since_s: float) -> None:
    """The wrap's own lease did it, in time. ``since_s`` is on the station's clock."""
    async with asyncio.timeout(30.0):
        while not (truth := await rig.truth(wrap)).vented:  # noqa: ASYNC110  # the truth has no events
            await asyncio.sleep(0.2)
    assert "lease_end" in truth.causes
    lease_end_s = next(at_s for at_s, _, cause in truth.states if cause == "lease_end")
    assert lease_end_s - since_s <= LEASE_S + 0.5
    rig.notes.append(f"{rig.wraps[wrap].serial}: its lease ended {lease_end_s - since_s:.1f} s after, and it vented")


async def a_fade_of_ten_seconds_ends_the_session_vented_and_told(rig: LinkRig) -> None:
    """The far wrap vents by its lease, the near one is stopped, the end says why, and the link comes back by itself."""
    async with linked_wraps(rig) as links:
        _, playing = await play_long_hold(links, rig)
        faded_s = (await rig.truth(0)).now_s
        await rig.fade(0, 10.0)
        outcome = await playing
        assert (outcome.ended, outcome.vented) == (EndedHow.FAULTED, True)
        assert outcome.reason.endswith("was out of reach until its lease ended and vents by itself: bring it nearer and start again")
        await assert_vented_by_lease(rig, 0, faded_s)
        for index in range(1, len(rig.wraps)):
            truth = await rig.truth(index)
            assert truth.vented
            assert "stop" in truth.causes
            assert "lease_end" not in truth.causes
        await ready_again(rig, links, "fade of 10 s")
        counts = links.wraps[0].link.counts
        assert (counts.losses, counts.reconnects, counts.radio_downs) == (1, 1, 0)
        assert counts.out_of_reach >= 1
        assert was_told(links, 0, Lost)


async def befalls_a_session(rig: LinkRig, trouble: Trouble) -> None:
    """The gateway is cut off from every wrap: all vent by their leases, the session says so, and all links come back by themselves."""
    async with linked_wraps(rig) as links:
        _, playing = await play_long_hold(links, rig)
        begun_s = (await rig.truth(0)).now_s
        async with rig.trouble(trouble):
            for index in range(len(rig.wraps)):
                await assert_vented_by_lease(rig, index, begun_s)
            await until(lambda: was_told(links, 0, RadioDown), 10.0, "word that the radio is down")
        await ready_again(rig, links, trouble.value)
        outcome = await playing
        assert outcome.ended is EndedHow.FAULTED
        for index, wrap in enumerate(links.wraps):
            assert was_told(links, index, RadioDown)
            counts = wrap.link.counts
            assert (counts.losses, counts.reconnects, counts.radio_downs) == (1, 1, 1)
        again = links.prepare(short_program(), CYCLE_S)
        assert_flawless(links.summarise(again, await again.run()))


async def the_daemon_is_killed_in_mid_session(rig: LinkRig) -> None:
    """SIGKILL."""
    await befalls_a_session(rig, Trouble.DAEMON_KILLED)


async def the_adapter_is_pulled_out_in_mid_session(rig: LinkRig) -> None:
    """And put back."""
    await befalls_a_session(rig, Trouble.ADAPTER_GONE)


async def befalls_the_links(rig: LinkRig, trouble: Trouble) -> None:
    """Told, counted once, and over by itself."""
    async with linked_wraps(rig) as links:
        async with rig.trouble(trouble):
            took_s = await until(lambda: was_told(links, 0, RadioDown), 20.0, "word that the radio is down")
            rig.notes.append(f"{trouble.value}: told after {took_s:.1f} s")
            await asyncio.sleep(rig.quiet_s)
            assert not any(isinstance(wrap.link.state, Ready) for wrap in links.wraps)
        await ready_again(rig, links, trouble.value)
        for wrap in links.wraps:
            assert (wrap.link.counts.losses, wrap.link.counts.reconnects, wrap.link.counts.radio_downs) == (1, 1, 1)


async def the_adapter_is_switched_off_and_on(rig: LinkRig) -> None:
    """As with the desktop's switch."""
    await befalls_the_links(rig, Trouble.ADAPTER_OFF)


async def the_bus_dies_and_comes_back(rig: LinkRig) -> None:
    """And the daemon with it."""
    await befalls_the_links(rig, Trouble.BUS_GONE)


async def another_scanner_does_no_harm(rig: LinkRig) -> None:
    """From the search to the end of a session."""
    await pair_all(rig)
    async with rig.scanner(), linked_wraps(rig) as links:
        runner = links.prepare(short_program(), CYCLE_S)
        assert_flawless(links.summarise(runner, await runner.run()))


async def a_wrap_that_restarts_is_told_and_linked_again(rig: LinkRig) -> None:
    """With its ticks from zero."""
    async with linked_wraps(rig) as links:
        link = links.wraps[0].link
        assert link.capabilities is not None
        boot_id = link.capabilities.boot_id
        await rig.reboot(0)
        await until(lambda: link.counts.reboots == 1, 30.0, "word of the restart")
        await ready_again(rig, links, "restart of a wrap")
        assert link.capabilities.boot_id != boot_id
        assert link.clock_sync.boot_id == link.capabilities.boot_id
        assert (link.counts.losses, link.counts.reconnects) == (1, 1)


async def a_wrap_in_a_strangers_link_is_missed_and_taken_back(rig: LinkRig) -> None:
    """It cannot be told from one that is too far, and both are waited for."""
    async with linked_wraps(rig) as links:
        link = links.wraps[0].link
        stealing = asyncio.create_task(rig.steal(0, 15.0))
        await asyncio.sleep(0.5)
        await rig.reboot(0)
        await until(lambda: link.counts.out_of_reach + link.counts.failed_connects > 0, 30.0, "word that the wrap is not to be had")
        assert not isinstance(link.state, Ready)
        await stealing
        await ready_again(rig, links, "theft of a wrap")
        assert (link.counts.losses, link.counts.reconnects, link.counts.radio_downs) == (1, 1, 0)


async def twenty_connects_leave_nothing_behind(rig: LinkRig) -> None:
    """Neither tasks nor file descriptors nor match rules."""
    await pair_all(rig)

    async def connect() -> None:
        connection = await rig.radio.connect(await sight(rig), 20.0)
        try:
            await connection.subscribe(uuids.CONTROL, lambda _data: None)
            assert await connection.read(uuids.CAPABILITIES)
        finally:
            await connection.disconnect()
        await asyncio.sleep(0.5)

    await connect()
    before = await rig.open_things()
    for _ in range(CONNECTS):
        await connect()
    after = await rig.open_things()
    rig.notes.append(f"{CONNECTS} connects: {before} before, {after} after")
    assert after == before


CASES = {
    case.__name__: case
    for case in (
        a_session_of_a_minute_misses_nothing,
        a_fade_of_a_second_and_a_half_is_survived,
        a_fade_of_ten_seconds_ends_the_session_vented_and_told,
        the_daemon_is_killed_in_mid_session,
        the_adapter_is_pulled_out_in_mid_session,
        the_adapter_is_switched_off_and_on,
        the_bus_dies_and_comes_back,
        another_scanner_does_no_harm,
        a_wrap_that_restarts_is_told_and_linked_again,
        a_wrap_in_a_strangers_link_is_missed_and_taken_back,
        twenty_connects_leave_nothing_behind,
    )
}
"""Every case by its name."""
