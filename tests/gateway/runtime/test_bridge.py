"""What a subscriber sees of two wraps: a session, a lost link, a broker that forgets. One run in virtual time, many looks at it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import pytest
from tests.support.virtual_sessions import RecordingPublisher, make_short_program, prepare_session
from tests.support.virtual_wraps import VirtualWraps, on_the_air, open_gateway_radio

from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.runtime.bridge import STATE_PERIOD_S, Bridge, Clocks, SessionView
from wavewrap_gateway.runtime.roster import find_wraps, linked
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_protocol.limits import SAMPLE_PERIOD_MS
from wavewrap_protocol.payloads import (
    TOPICS,
    Availability,
    BridgeEvent,
    BridgeHealth,
    BridgeInfo,
    Devices,
    EndedHow,
    Pacing,
    SampleAccount,
    SessionSummary,
    Side,
    Telemetry,
    WrapEvent,
    WrapState,
)
from wavewrap_sim.virtual_time import run_virtual

GATEWAY, BOOT = "attic", 77
NAMES = ("left-calf", "virtual-2")
WALL_OFFSET_S = 1.7e9
LEFT, RIGHT = NAMES


@dataclass(frozen=True, slots=True)
class Record:
    """What was published, and when what happened (host seconds)."""

    publisher: RecordingPublisher
    session_s: tuple[float, float]
    cut_s: tuple[float, float]
    broker_back_s: float
    summary: SessionSummary
    boot_ids: dict[str, int]


@asynccontextmanager
async def bridged() -> AsyncIterator[tuple[VirtualWraps, RecordingPublisher, Bridge]]:
    """Two wraps, the left one with a name of its own, and a bridge that saw them from the first moment."""
    clock = asyncio.get_running_loop().time
    async with on_the_air(2) as (air, stations), open_gateway_radio(air) as gateway:
        sightings = await find_wraps(gateway.radio, 2)
        wraps = [Wrap(gateway.radio, sighting, clock, Random(1), {"VIRTUAL-1": LEFT}) for sighting in sightings]
        publisher = RecordingPublisher(clock)
        bridge = Bridge(GATEWAY, BOOT, wraps, publisher, Clocks(clock, lambda host_s: host_s + WALL_OFFSET_S), Lateness())
        bridge.announce("0.0", "bumble:pipe", "wavewrap", Pacing(timer="loop", slack_ns=None, policy="other"))
        async with linked(wraps):
            running = asyncio.create_task(bridge.run())
            try:
                yield VirtualWraps(air, stations, gateway, wraps), publisher, bridge
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)


async def play() -> Record:
    clock = asyncio.get_running_loop().time
    async with bridged() as (virtual, publisher, bridge):
        await asyncio.sleep(2.0)
        runner = prepare_session(virtual, make_short_program(), 9.0)
        bridge.session_view = lambda _name: SessionView(runner.progress(), {run.wrap.name: run for run in runner.runs})
        began_s = clock()
        outcome = await runner.run()
        ended_s = clock()
        bridge.session_view = lambda _name: None
        summary = runner.summary(outcome, publisher.counts())
        bridge.publish_summary(summary)
        await asyncio.sleep(2.0)
        cut_s = clock()
        await virtual.stations[1].cut_for(6.0)
        back_s = clock()
        await asyncio.sleep(5.0)
        publisher.lose_broker()
        await asyncio.sleep(1.0)
        publisher.find_broker()
        broker_back_s = clock()
        await asyncio.sleep(1.0)
        bridge.event("ended", "the test is over")
        boot_ids = {wrap.name: wrap.link.clock_sync.boot_id for wrap in virtual.wraps}
    return Record(publisher, (began_s, ended_s), (cut_s, back_s), broker_back_s, summary, boot_ids)


@pytest.fixture(scope="module")
def record() -> Record:
    return run_virtual(play())


@pytest.mark.parametrize("name", NAMES)
def test_the_account_of_the_samples_is_what_was_published(record: Record, name: str) -> None:
    accounts = record.publisher.of(SampleAccount, name)
    assert [one.seq for one in accounts] == list(range(1, len(accounts) + 1))
    assert {(one.gateway, one.gateway_boot, one.boot_id) for one in accounts} == {(GATEWAY, BOOT, record.boot_ids[name])}
    last = accounts[-1]
    numbers = {one.seq + index for one in record.publisher.of(Telemetry, name) for index in range(len(one.pressure_mmhg[0]))}
    assert last.first == min(numbers)
    assert len([number for number in numbers if number < last.next]) == last.next - last.first - last.missing
    assert (last.missing, last.missing_runs, last.dropped) == (0, [], 0)
    # The account taken in or right after the fade names the gap.
    fade = [one for one in accounts if one.missing]
    assert bool(fade) is (name == RIGHT)
    assert all(sum(end - begin + 1 for begin, end in one.missing_runs) == one.missing for one in fade)


@pytest.mark.parametrize("name", NAMES)
def test_every_payload_names_the_run_of_the_gateway(record: Record, name: str) -> None:
    for kind in (WrapState, WrapEvent):
        assert {one.gateway_boot for one in record.publisher.of(kind, name)} == {BOOT}  # type: ignore[attr-defined]  # both have it
    states = record.publisher.of(WrapState, name)
    assert [one.seq for one in states] == list(range(1, len(states) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_telemetry_carries_its_key_and_misses_no_sample(record: Record, name: str) -> None:
    batches = record.publisher.of(Telemetry, name)
    assert {(one.gateway, one.wrap, one.boot_id, one.period_ms) for one in batches} == {
        (GATEWAY, name, record.boot_ids[name], SAMPLE_PERIOD_MS)
    }
    seqs = [one.seq + index for one in batches for index in range(len(one.pressure_mmhg[0]))]
    assert len(seqs) == len(set(seqs))
    assert sorted(seqs) == list(range(min(seqs), max(seqs) + 1))
    assert {len(one.pressure_mmhg) for one in batches} == {4}
    assert all(len({len(row) for row in one.pressure_mmhg}) == 1 for one in batches)
    assert any(one.replay for one in batches) is (name == RIGHT)


@pytest.mark.parametrize("name", NAMES)
def test_telemetry_tells_when_a_sample_was_taken(record: Record, name: str) -> None:
    timed = [one for one in record.publisher.of(Telemetry, name) if one.unix_s is not None]
    first = timed[0]
    assert first.unix_s is not None
    for one in timed:
        assert one.tick - first.tick == (one.seq - first.seq) * SAMPLE_PERIOD_MS * 10
        # 50 ppm over half a minute, and what the first estimates do not know yet.
        assert one.unix_s == pytest.approx(first.unix_s + (one.seq - first.seq) * SAMPLE_PERIOD_MS / 1000.0, abs=0.02)
    live = [message for message in record.publisher.messages if isinstance(message.payload, Telemetry) and not message.payload.replay]
    for message in live:
        assert isinstance(message.payload, Telemetry)
        if message.payload.unix_s is not None:
            assert 0.0 <= message.at_s + WALL_OFFSET_S - message.payload.unix_s < 0.15


@pytest.mark.parametrize("name", NAMES)
def test_states_go_out_on_change_and_seldom(record: Record, name: str) -> None:
    states, times_s = record.publisher.of(WrapState, name), record.publisher.times_of(WrapState, name)
    assert all(one.model_copy(update={"clock": other.clock}) != other for one, other in pairwise(states))
    by_change_s = [at_s for at_s in times_s if at_s != record.broker_back_s]
    gaps_s = [later - one for one, later in pairwise(by_change_s)]
    assert min(gaps_s) >= STATE_PERIOD_S - 0.001
    assert STATE_PERIOD_S >= 0.5


def test_nothing_new_is_said_of_a_wrap_that_is_gone(record: Record) -> None:
    cut_s, back_s = record.cut_s
    told = states_between(record, RIGHT, cut_s + 2.1, back_s)
    assert {_hushed(state).model_dump_json() for state in told} == {_hushed(told[0]).model_dump_json()}
    assert len(states_between(record, LEFT, cut_s + 2.1, back_s)) >= 3


def _hushed(state: WrapState) -> WrapState:
    """Without its number, what is told of its link, and what grows old by itself."""
    return state.model_copy(update={"seq": 0, "link": "", "counts": None, "clock": None})


def states_between(record: Record, name: str, from_s: float, until_s: float) -> list[WrapState]:
    pairs = zip(record.publisher.times_of(WrapState, name), record.publisher.of(WrapState, name), strict=True)
    return [state for at_s, state in pairs if from_s <= at_s <= until_s]


def test_stale_pressures_become_null_and_come_back(record: Record) -> None:
    cut_s, back_s = record.cut_s
    gone = states_between(record, RIGHT, cut_s, back_s)[-1]
    assert gone.pressure_mmhg is None
    assert gone.device_state is None
    assert gone.link in ("lost", "searching", "connecting")
    last = record.publisher.of(WrapState, RIGHT)[-1]
    assert (last.link, last.device_state) == ("ready", "idle")
    assert last.pressure_mmhg is not None
    assert len(last.pressure_mmhg) == 4
    assert all(state.pressure_mmhg is not None for state in states_between(record, LEFT, cut_s, back_s))


def test_a_state_says_what_the_device_and_the_session_do(record: Record) -> None:
    began_s, ended_s = record.session_s
    running = [state for state in states_between(record, LEFT, began_s, ended_s) if state.device_state == "running"]
    assert running
    assert {state.side for state in running} == {Side.LEFT}
    assert max(max(state.pressure_mmhg or [0.0]) for state in running) > 35.0
    assert max(max(state.target_mmhg or [0.0]) for state in running) == pytest.approx(40.0)
    elapsed_s = [state.session.elapsed_s for state in running if state.session is not None]
    assert elapsed_s == sorted(elapsed_s)
    assert len(elapsed_s) == len(running)
    for state in record.publisher.of(WrapState):
        assert state.battery_pct is None or 70 <= state.battery_pct <= 100
        assert state.clock is not None
        assert state.clock.uncertainty_ms < 5.0
    assert states_between(record, LEFT, ended_s + 2.0, ended_s + 60.0)[-1].session is None


def test_availability_follows_the_link(record: Record) -> None:
    told = {name: [one.state for one in record.publisher.of(Availability, name)] for name in NAMES}
    # The last one each is said again to the broker that came back; closing the link ends it.
    assert told[LEFT] == ["online", "online", "offline"]
    assert told[RIGHT] == ["online", "offline", "online", "online", "offline"]
    offline_s = record.publisher.times_of(Availability, RIGHT)[1]
    assert offline_s - record.cut_s[0] < 0.1


def test_events_are_numbered_without_a_gap_and_tell_the_story(record: Record) -> None:
    for name in NAMES:
        events = record.publisher.of(WrapEvent, name)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert {event.wrap for event in events} == {name}
        texts = [event.text for event in events if event.kind == "device_state"]
        assert texts == [
            "armed because of command",
            "running because of first_step",
            "venting because of session_end",
            "idle because of vented",
        ]
    kinds = [event.kind for event in record.publisher.of(WrapEvent, RIGHT)]
    assert {"link_ready", "link_lost", "link_searching", "link_connecting", "link_preparing", "link_closed"} <= set(kinds)
    own = record.publisher.of(BridgeEvent)
    assert [event.seq for event in own] == list(range(1, len(own) + 1))
    # Before a wrap has said who it is, its link is the gateway's business.
    assert {event.kind for event in own[:-1]} == {"link_connecting", "link_preparing"}
    assert own[-1].text == "the test is over"


def test_the_summary_is_on_every_wraps_topic(record: Record) -> None:
    for name in NAMES:
        (summary,) = record.publisher.of(SessionSummary, name)
        assert (summary.gateway, summary.gateway_boot, summary.seq, summary.historical) == (GATEWAY, BOOT, 1, False)
        assert summary.model_copy(update={"gateway": None, "gateway_boot": None, "seq": None, "historical": None}) == record.summary
        assert summary.ended is EndedHow.COMPLETED
        assert [wrap.id for wrap in summary.wraps] == list(NAMES)
    paths = [message.path for message in record.publisher.messages if isinstance(message.payload, SessionSummary)]
    assert paths == [f"wavewrap/{name}/session" for name in NAMES]


def test_devices_and_bridge_introduce_themselves(record: Record) -> None:
    devices = record.publisher.of(Devices)[-1]
    assert [(wrap.id, wrap.serial, wrap.side, wrap.chambers, wrap.model) for wrap in devices.wraps] == [
        (LEFT, "VIRTUAL-1", Side.LEFT, 4, "WR-4"),
        (RIGHT, "VIRTUAL-2", Side.RIGHT, 4, "WR-4"),
    ]
    info = record.publisher.of(BridgeInfo)[0]
    assert (info.gateway, info.radio, info.protocol) == (GATEWAY, "bumble:pipe", "1.0")
    health = record.publisher.of(BridgeHealth)
    assert len(health) >= 4
    assert [one.uptime_s for one in health] == sorted(one.uptime_s for one in health)
    assert health[-1].mqtt.published > health[0].mqtt.published


def test_a_broker_that_comes_back_hears_all_that_is_retained_again(record: Record) -> None:
    again = {message.path for message in record.publisher.messages if message.at_s == record.broker_back_s}
    expected = {"wavewrap/bridge/info", "wavewrap/bridge/devices"}
    expected |= {f"wavewrap/{name}" for name in NAMES} | {f"wavewrap/{name}/availability" for name in NAMES}
    assert expected <= again


def test_every_message_has_its_row(record: Record) -> None:
    said = {message.topic for message in record.publisher.messages}
    # bridge_state is the publisher's own: the Last Will. What is selected and what the journal asks is the daemon's to say.
    assert said == set(TOPICS) - {"bridge_state", "bridge_selection", "bridge_journal"}


def test_a_reboot_is_an_event() -> None:
    async def work() -> None:
        async with bridged() as (virtual, publisher, _):
            old = virtual.wraps[0].link.clock_sync.boot_id
            virtual.stations[0].reboot()
            await asyncio.sleep(3.0)
            await virtual.wraps[0].link.wait_ready()
            await asyncio.sleep(2.0)
            kinds = [event.kind for event in publisher.of(WrapEvent, LEFT)]
            assert kinds.count("booted") == 1
            boots = [one.boot_id for one in publisher.of(Telemetry, LEFT)]
            assert boots[0] == old
            assert boots[-1] == virtual.wraps[0].link.clock_sync.boot_id != old
            assert boots == [boot_id for boot_id in boots if boot_id == old] + [boot_id for boot_id in boots if boot_id != old]
            new = [one for one in publisher.of(Telemetry, LEFT) if one.boot_id != old]
            assert new[0].seq < 50 * 5

    run_virtual(work())
