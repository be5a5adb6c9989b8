"""The link to one wrap: it comes back by itself, and brings what was missed; what cannot come back says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
from tests.support.virtual_wraps import MakeWrap, Station, VirtualWraps, on_the_air, open_gateway_radio, run_wraps, until

from wavewrap_gateway.core.link_state import Closed, Failed, Lost, RadioDown, Ready
from wavewrap_gateway.runtime.roster import READY_S, SCAN_S, find_wraps, linked
from wavewrap_gateway.runtime.wrap import Wrap, topic_name
from wavewrap_gateway.runtime.wrap_link import SILENCE_CHECK_S, SILENCE_S, Booted, FrameArrived, LinkChanged, LinkEvent, ReportArrived
from wavewrap_protocol import uuids
from wavewrap_protocol.commands import Arm, ControlWrite, End
from wavewrap_protocol.enums import Cause, DeviceState, Result
from wavewrap_protocol.errors import LinkError
from wavewrap_protocol.limits import REPORTS_KEPT, VERSION_MAJOR
from wavewrap_protocol.reports import StateReport
from wavewrap_sim.firmware import Outgoing
from wavewrap_sim.virtual_time import run_virtual
from wavewrap_sim.wrap import SimulatedWrap


class Witness:
    """Everything that one wrap's link told."""

    def __init__(self, wrap: Wrap) -> None:
        self.events: list[LinkEvent] = []
        wrap.listen(lambda _wrap, event: self.events.append(event))

    def sequence(self) -> list[int]:
        """Numbers of the samples that came, live and again, in the order of arrival."""
        frames = [event.frame for event in self.events if isinstance(event, FrameArrived)]
        return [frame.seq + index for frame in frames for index in range(len(frame.samples_cmmhg))]

    def replayed(self) -> bool:
        return any(isinstance(event, FrameArrived) and event.frame.replay for event in self.events)

    def report_numbers(self) -> list[int]:
        return [event.report.number for event in self.events if isinstance(event, ReportArrived)]

    def states(self) -> list[tuple[DeviceState, Cause]]:
        reports = [event.report for event in self.events if isinstance(event, ReportArrived)]
        return [(report.state, report.cause) for report in reports if isinstance(report, StateReport)]

    def losses(self) -> list[str]:
        return [event.state.reason for event in self.events if isinstance(event, LinkChanged) and isinstance(event.state, Lost)]


@asynccontextmanager
async def one_wrap(make_wrap: MakeWrap = SimulatedWrap) -> AsyncIterator[tuple[VirtualWraps, Station, Wrap, Witness]]:
    async with run_wraps(1, make_wrap=make_wrap) as virtual:
        (wrap,) = virtual.wraps
        yield virtual, virtual.stations[0], wrap, Witness(wrap)


def assert_gapless(numbers: list[int]) -> None:
    assert sorted(numbers) == list(range(min(numbers), min(numbers) + len(numbers)))


def test_a_lost_link_comes_back_with_every_sample() -> None:
    async def work() -> None:
        async with one_wrap() as (_, station, wrap, witness):
            boot_id = wrap.link.clock_sync.boot_id
            await asyncio.sleep(1.0)
            await station.cut_for(3.0)
            await wrap.link.wait_ready()
            await asyncio.sleep(2.0)
            counts = wrap.link.samples.counts()
            assert counts.missing == 0
            assert counts.replayed > 100
            assert counts.received + counts.replayed == counts.expected
            assert_gapless(witness.sequence())
            assert wrap.link.clock_sync.boot_id == boot_id
            assert not any(isinstance(event, Booted) for event in witness.events)
            assert witness.losses()[0] == f"the link to {station.address} was lost"

    run_virtual(work())


def test_a_replay_that_a_second_loss_cuts_short_is_asked_for_again() -> None:
    async def work() -> None:
        async with one_wrap() as (_, station, wrap, witness):
            await station.cut_for(5.0)
            await until(witness.replayed)
            interrupted = len(set(witness.sequence()))
            await station.cut_for(1.0)
            await wrap.link.wait_ready()
            await asyncio.sleep(3.0)
            assert len(set(witness.sequence())) > interrupted + 200
            assert wrap.link.samples.counts().missing == 0
            assert set(witness.sequence()) == set(range(min(witness.sequence()), max(witness.sequence()) + 1))

    run_virtual(work())


def test_a_replay_that_could_not_even_be_asked_for_is_asked_for_again() -> None:
    async def work() -> None:
        async with one_wrap() as (_, station, wrap, _):
            station.air.stall(station.controller)
            await asyncio.sleep(0.2)
            await station.cut_for(1.0)
            await until(lambda: isinstance(wrap.link.state, Ready))
            station.air.stall(station.controller)
            await asyncio.sleep(0.05)
            await station.cut_for(1.0)
            await wrap.link.wait_ready()
            await asyncio.sleep(3.0)
            counts = wrap.link.samples.counts()
            assert counts.missing == 0
            assert counts.replayed > 50

    run_virtual(work())


def test_reports_missed_during_a_loss_are_sent_again_once_and_in_order() -> None:
    async def work() -> None:
        async with one_wrap() as (_, station, wrap, witness):
            answer = await wrap.link.command(Arm(77, 2_000, 6_000))
            assert answer.result is Result.OK
            await asyncio.sleep(0.2)
            await station.cut_for(4.0)
            await wrap.link.wait_ready()
            await asyncio.sleep(1.0)
            assert witness.states() == [
                (DeviceState.ARMED, Cause.COMMAND),
                (DeviceState.VENTING, Cause.LEASE_END),
                (DeviceState.IDLE, Cause.VENTED),
            ]
            assert_gapless(witness.report_numbers())
            assert witness.report_numbers() == sorted(witness.report_numbers())
            assert wrap.link.lost_reports == 0
            assert wrap.picture.cause is Cause.VENTED

    run_virtual(work())


def test_reports_that_the_wrap_has_forgotten_are_counted_and_not_waited_for() -> None:
    async def work() -> None:
        async with one_wrap() as (_, station, wrap, witness):
            clock = asyncio.get_running_loop().time
            await wrap.link.command(Arm(77, 2_000, 6_000))
            await wrap.link.command(End(77))
            await asyncio.sleep(1.0)
            known = witness.report_numbers()[-1]
            station.cut()
            for number in range(60):
                for command in (Arm(100 + number, 2_000, 6_000), End(100 + number)):
                    station.wrap.write(clock(), uuids.CONTROL, ControlWrite(number, command).encode())
                    await asyncio.sleep(0.05)
            told = len(station.states())
            station.restore()
            await wrap.link.wait_ready()
            await asyncio.sleep(3.0)
            came = [number for number in witness.report_numbers() if number > known]
            assert came == list(range(came[0], came[0] + REPORTS_KEPT))
            assert came[-1] == told - 1
            assert wrap.link.lost_reports == came[0] - known - 1 > 0
            await wrap.link.command(Arm(78, 2_000, 6_000))
            await asyncio.sleep(0.5)
            assert witness.states()[-1] == (DeviceState.ARMED, Cause.COMMAND)

    run_virtual(work())


def test_silence_is_loss() -> None:
    async def work() -> None:
        async with one_wrap() as (_, station, wrap, witness):
            clock = asyncio.get_running_loop().time
            station.air.stall(station.controller)
            begun_s = clock()
            await until(lambda: bool(witness.losses()))
            assert clock() - begun_s <= SILENCE_S + 2 * SILENCE_CHECK_S
            assert "has sent nothing for" in witness.losses()[0]
            station.restore()
            await wrap.link.wait_ready()
            await asyncio.sleep(2.0)
            assert wrap.link.samples.counts().missing == 0

    run_virtual(work())


def test_a_reboot_is_told_and_the_clock_starts_over() -> None:
    async def work() -> None:
        async with one_wrap() as (_, station, wrap, witness):
            old = wrap.link.capabilities
            assert old is not None
            await asyncio.sleep(5.0)
            station.reboot()
            await until(lambda: isinstance(wrap.link.state, Lost))
            await wrap.link.wait_ready()
            await asyncio.sleep(1.0)
            booted = [event for event in witness.events if isinstance(event, Booted)]
            assert wrap.link.capabilities is not None
            assert [event.boot_id for event in booted] == [wrap.link.capabilities.boot_id]
            assert wrap.link.capabilities.boot_id != old.boot_id
            assert wrap.link.clock_sync.boot_id == wrap.link.capabilities.boot_id
            estimate = wrap.link.clock_sync.estimate
            assert estimate is not None
            now_s = asyncio.get_running_loop().time()
            assert 0 < estimate.tick_at(now_s) < 40_000
            assert wrap.link.samples.counts().missing == 0
            assert wrap.picture.device_state is DeviceState.IDLE

    run_virtual(work())


class _VersionTwo(SimulatedWrap):
    """Says that it speaks major version 2."""

    def read(self, now_s: float, characteristic_uuid: str) -> bytes:
        data = super().read(now_s, characteristic_uuid)
        return bytes((2,)) + data[1:] if characteristic_uuid == uuids.CAPABILITIES else data


def test_another_major_version_is_given_up_without_a_second_try() -> None:
    async def work() -> None:
        async with on_the_air(1, make_wrap=_VersionTwo) as (air, stations), open_gateway_radio(air) as gateway:
            clock = asyncio.get_running_loop().time
            (sighting,) = await find_wraps(gateway.radio, 1)
            wrap = Wrap(gateway.radio, sighting, clock, Random(1))
            witness = Witness(wrap)
            begun_s = clock()
            with pytest.raises(
                LinkError, match=rf"speaks protocol version 2, this gateway speaks version {VERSION_MAJOR}: update the gateway"
            ):
                async with linked([wrap]):
                    pass
            assert clock() - begun_s < 1.0
            await asyncio.sleep(10.0)
            assert isinstance(wrap.link.state, Failed)
            words = [type(event.state).__name__ for event in witness.events if isinstance(event, LinkChanged)]
            assert words == ["Connecting", "Preparing", "Failed"]
            assert not stations[0].controller.le_connections

    run_virtual(work())


class _GarblingWrap(SimulatedWrap):
    """Sends ``garbage`` once, in between."""

    garbage: list[Outgoing]

    def advance(self, now_s: float) -> list[Outgoing]:
        garbage, self.garbage = getattr(self, "garbage", []), []
        return [*super().advance(now_s), *garbage]


def test_what_is_no_message_is_counted_and_not_acted_on() -> None:
    async def work() -> None:
        async with one_wrap(_GarblingWrap) as (_, station, wrap, witness):
            assert isinstance(station.wrap, _GarblingWrap)
            await asyncio.sleep(1.0)
            garbage = [
                Outgoing(uuid, data)
                for uuid in (uuids.TELEMETRY, uuids.TIME, uuids.CONTROL, uuids.REPORT)
                for data in (b"", b"\xff", b"\xff" * 11, b"\x01" * 40)
            ]
            reports, picture = witness.report_numbers(), wrap.picture.device_state
            station.wrap.garbage = garbage
            await asyncio.sleep(2.0)
            assert wrap.link.garbled == len(garbage)
            assert isinstance(wrap.link.state, Ready)
            assert witness.report_numbers() == reports
            assert wrap.picture.device_state is picture
            assert_gapless(witness.sequence())
            assert wrap.link.samples.counts().missing == 0

    run_virtual(work())


def test_a_radio_that_is_down_says_why_and_is_tried_for_ever() -> None:
    async def work() -> None:
        async with one_wrap() as (virtual, _, wrap, _):
            virtual.gateway.source.on_transport_lost()
            await until(lambda: isinstance(wrap.link.state, RadioDown))
            assert isinstance(wrap.link.state, RadioDown)
            assert wrap.link.state.reason.startswith("scanning failed (no controller at pipe")
            with pytest.raises(LinkError, match="is down"):
                await wrap.link.stop()
            await asyncio.sleep(600.0)
            assert isinstance(wrap.link.state, RadioDown)
            assert (wrap.link.counts.losses, wrap.link.counts.radio_downs, wrap.link.counts.reconnects) == (1, 1, 0)

    run_virtual(work())


def test_a_closed_link_leaves_the_wrap_to_others() -> None:
    async def work() -> None:
        async with on_the_air(1) as (air, stations), open_gateway_radio(air) as gateway:
            clock = asyncio.get_running_loop().time
            for seed in range(2):
                (sighting,) = await find_wraps(gateway.radio, 1)
                wrap = Wrap(gateway.radio, sighting, clock, Random(seed))
                async with linked([wrap]):
                    assert wrap.name == "virtual-1"
                assert isinstance(wrap.link.state, Closed)
                with pytest.raises(LinkError, match="is closed"):
                    await wrap.link.wait_ready()
                await asyncio.sleep(0.5)
                assert not stations[0].controller.le_connections

    run_virtual(work())


def test_too_few_wraps_are_told_after_the_whole_scan() -> None:
    async def work() -> None:
        async with on_the_air(2) as (air, stations), open_gateway_radio(air) as gateway:
            clock = asyncio.get_running_loop().time
            begun_s = clock()
            with pytest.raises(LinkError, match=r"^found 2 of 3 wraps within 10 s: switch them on"):
                await find_wraps(gateway.radio, 3)
            assert clock() - begun_s == pytest.approx(SCAN_S, abs=0.1)
            with pytest.raises(LinkError, match=r"^found 1 of 2 wraps"):
                await find_wraps(gateway.radio, 0, [stations[1].address, "F0:00:00:00:00:99"])
            (only,) = await find_wraps(gateway.radio, 0, [stations[1].address])
            assert only.address == stations[1].address

    run_virtual(work())


def test_known_wraps_are_taken_before_strangers() -> None:
    async def work() -> None:
        async with on_the_air(2) as (air, stations), open_gateway_radio(air) as gateway:
            clock = asyncio.get_running_loop().time
            for own in stations:
                (found,) = await find_wraps(gateway.radio, 1, known=[own.address])
                assert found.address == own.address
            begun_s = clock()
            assert len(await find_wraps(gateway.radio, 2, known=[stations[1].address, "F0:00:00:00:00:99"])) == 2
            assert clock() - begun_s == pytest.approx(SCAN_S, abs=0.1), "the other one of one's own may still come"
            stations[1].cut()
            (found,) = await find_wraps(gateway.radio, 1, known=[stations[1].address])
            assert found.address == stations[0].address, "a stranger's is better than none"

    run_virtual(work())


def test_a_wrap_that_never_answers_is_named() -> None:
    async def work() -> None:
        async with on_the_air(2) as (air, stations), open_gateway_radio(air) as gateway:
            clock = asyncio.get_running_loop().time
            wraps = [Wrap(gateway.radio, sighting, clock, Random(1)) for sighting in await find_wraps(gateway.radio, 2)]
            stations[1].cut()
            begun_s = clock()
            with pytest.raises(LinkError, match=r"not every wrap was ready within 45 s \(f0-57-52-00-00-02: .*\): bring them nearer"):
                async with linked(wraps):
                    pass
            assert clock() - begun_s <= READY_S + 6.0

    run_virtual(work())


@pytest.mark.parametrize(
    ("text", "name"),
    [("SIM001-01", "sim001-01"), ("A b/c#+", "a-b-c"), ("", "wrap"), ("///", "wrap"), ("Bridge", "bridge-1"), ("x" * 99, "x" * 64)],
)
def test_any_text_makes_a_topic_name(text: str, name: str) -> None:
    assert topic_name(text) == name
