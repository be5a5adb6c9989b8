"""The radio port on bleak: what a scan tells, and that no call hangs or lets a foreign error out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from bumble.core import UUID, AdvertisingData
from bumble.device import Device
from bumble.hci import Address
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink
from tests.support.virtual_air import CuttableAir
from tests.support.virtual_wraps import GatewayRadio, Station, on_the_air, open_gateway_radio

from wavewrap_gateway.adapters.ble import open_radio
from wavewrap_gateway.adapters.ble_connection import GATT_TIMEOUT_S
from wavewrap_gateway.runtime.ports import Connection, RadioDownError, Sighting
from wavewrap_protocol import uuids
from wavewrap_protocol.commands import Stop
from wavewrap_protocol.errors import LinkError, UsageError
from wavewrap_protocol.payloads import Side
from wavewrap_sim.air import AirController
from wavewrap_sim.virtual_time import run_virtual

OUR_SERVICE = (AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, bytes(UUID(uuids.SERVICE)))
BATTERY_ONLY = (AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, b"\x0f\x18")


def our_flags(flags: int, model: str) -> tuple[int, bytes]:
    content = uuids.ADVERTISED_COMPANY_ID.to_bytes(2, "little") + bytes((flags,)) + model.encode()
    return AdvertisingData.MANUFACTURER_SPECIFIC_DATA, content


async def start_beacon(air: CuttableAir, number: int, *structures: tuple[int, bytes]) -> None:
    """A device that is none of ours and advertises ``structures``."""
    controller = AirController(f"beacon {number}", link=air, public_address=f"00:00:5E:00:54:{number:02X}")
    device = Device(name="beacon", address=Address(f"F0:00:00:00:00:{number:02X}"), host=Host(controller, AsyncPipeSink(controller)))
    await device.power_on()
    await device.start_advertising(advertising_data=bytes(AdvertisingData(list(structures))), advertising_interval_min=100.0)


@asynccontextmanager
async def one_connection() -> AsyncIterator[tuple[GatewayRadio, Station, Connection]]:
    async with on_the_air(1) as (air, stations), open_gateway_radio(air) as gateway:
        (sighting,) = await gateway.radio.scan(1.0)
        connection = await gateway.radio.connect(sighting, 5.0)
        try:
            yield gateway, stations[0], connection
        finally:
            await connection.disconnect()


async def measure(call: Awaitable[object]) -> tuple[BaseException | object, float]:
    """What came of ``call`` and after how many seconds."""
    clock = asyncio.get_running_loop().time
    begun_s = clock()
    (outcome,) = await asyncio.gather(call, return_exceptions=True)
    return outcome, clock() - begun_s


def test_a_scan_tells_who_is_there() -> None:
    async def work() -> tuple[list[Sighting], float]:
        async with on_the_air(2) as (air, _), open_gateway_radio(air) as gateway:
            await start_beacon(air, 1, BATTERY_ONLY, our_flags(0, "other service"))
            await start_beacon(air, 2, OUR_SERVICE)
            await start_beacon(air, 3, OUR_SERVICE, our_flags(0b01, "WR-X"))
            await start_beacon(air, 4, OUR_SERVICE, our_flags(0b1111_1110, "later flags"))
            begun_s = asyncio.get_running_loop().time()
            found = await gateway.radio.scan(3.0)
            return found, asyncio.get_running_loop().time() - begun_s

    found, took_s = run_virtual(work())
    assert [(one.address, one.model, one.side, one.pairing_window) for one in found] == [
        ("F0:00:00:00:00:03", "WR-X", Side.LEFT, True),
        ("F0:00:00:00:00:04", "later flags", Side.RIGHT, False),
        ("F0:57:52:00:00:01", "WR-4", Side.LEFT, False),
        ("F0:57:52:00:00:02", "WR-4", Side.RIGHT, False),
    ]
    assert all(-127 <= one.rssi_dbm <= 20 for one in found)
    assert took_s == pytest.approx(3.0, abs=0.01)


def test_a_scan_ends_as_soon_as_it_has_enough() -> None:
    async def work() -> tuple[object, float]:
        async with on_the_air(2) as (air, _), open_gateway_radio(air) as gateway:
            return await measure(gateway.radio.scan(30.0, lambda seen: len(seen) == 2))

    found, took_s = run_virtual(work())
    assert isinstance(found, list)
    assert len(found) == 2
    assert took_s < 0.5


def test_an_absent_wrap_times_out_and_the_next_connect_works() -> None:
    async def work() -> None:
        async with on_the_air(2) as (air, stations), open_gateway_radio(air) as gateway:
            absent, present = await gateway.radio.scan(1.0)
            stations[0].cut()
            outcome, took_s = await measure(gateway.radio.connect(absent, 5.0))
            assert isinstance(outcome, LinkError)
            assert str(outcome) == f"{absent.address} did not answer within 5 s: bring the wrap nearer"
            assert took_s == pytest.approx(5.0, abs=0.1)
            connection = await gateway.radio.connect(present, 5.0)
            assert connection.payload_bytes == 244
            stations[0].restore()
            back = await gateway.radio.connect(absent, 5.0)
            assert await back.read(uuids.SERIAL_NUMBER) == b"VIRTUAL-1"

    run_virtual(work())


def test_a_connect_that_is_cancelled_leaves_the_radio_usable() -> None:
    async def work() -> None:
        async with on_the_air(1) as (air, stations), open_gateway_radio(air) as gateway:
            (sighting,) = await gateway.radio.scan(1.0)
            for patience_s in (0.0, 0.5):
                stations[0].cut()
                attempt = asyncio.create_task(gateway.radio.connect(sighting, 20.0))
                await asyncio.sleep(patience_s)
                attempt.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await attempt
                stations[0].restore()
                connection = await gateway.radio.connect(sighting, 5.0)
                await connection.disconnect()

    run_virtual(work())


@pytest.mark.parametrize("instant", range(8))
def test_a_connect_cancelled_at_any_step_leaves_no_link_behind(instant: int) -> None:
    async def work() -> None:
        async with on_the_air(1) as (air, stations), open_gateway_radio(air) as gateway:
            (sighting,) = await gateway.radio.scan(1.0)
            air.delay(gateway.controller, 0.005)
            attempt = asyncio.create_task(gateway.radio.connect(sighting, 20.0))
            await gateway.linked()
            # From here the handshake takes about 0.15 s, each exchange 10 ms.
            await asyncio.sleep(instant * 0.019)
            assert not attempt.done()
            attempt.cancel()
            await asyncio.gather(attempt, return_exceptions=True)
            await asyncio.sleep(1.0)
            assert attempt.cancelled()
            assert not gateway.controller.le_connections
            assert not stations[0].controller.le_connections
            await gateway.radio.connect(sighting, 5.0)

    run_virtual(work())


Call = Callable[[Connection], Awaitable[object]]

CALLS: dict[str, Call] = {
    "read": lambda connection: connection.read(uuids.CAPABILITIES),
    "write": lambda connection: connection.write(uuids.STOP, Stop().encode(), response=True),
    "subscribe": lambda connection: connection.subscribe(uuids.TELEMETRY, lambda _data: None),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_is_bounded_and_closes_the_link(call: Call) -> None:
    async def work() -> None:
        async with one_connection() as (_, station, connection):
            station.air.stall(station.controller)
            outcome, took_s = await measure(call(connection))
            assert isinstance(outcome, LinkError)
            assert f"took more than {GATT_TIMEOUT_S:g} s: the link is closed and made anew" in str(outcome)
            assert took_s == pytest.approx(GATT_TIMEOUT_S)
            _, waited_s = await measure(connection.wait_lost())
            assert waited_s == 0.0

    run_virtual(work())


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_ends_with_the_link(call: Call) -> None:
    async def work() -> None:
        async with one_connection() as (_, station, connection):
            station.air.stall(station.controller)
            pending = asyncio.ensure_future(measure(call(connection)))
            await asyncio.sleep(1.0)
            station.cut()
            outcome, took_s = await pending
            assert isinstance(outcome, LinkError)
            assert "lost" in str(outcome)
            assert took_s == pytest.approx(1.0, abs=0.01)

    run_virtual(work())


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_cancellation_passes_through(call: Call) -> None:
    async def work() -> None:
        async with one_connection() as (_, station, connection):
            station.air.stall(station.controller)
            pending = asyncio.ensure_future(call(connection))
            await asyncio.sleep(1.0)
            pending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pending
            station.restore()
            assert await connection.read(uuids.MODEL_NUMBER) == b"WR-4"

    run_virtual(work())


def test_after_the_loss_every_call_is_a_link_error() -> None:
    async def work() -> None:
        async with one_connection() as (_, station, connection):
            station.cut()
            await connection.wait_lost()
            for call in CALLS.values():
                outcome, took_s = await measure(call(connection))
                assert isinstance(outcome, LinkError)
                assert took_s < 0.01
            with pytest.raises(LinkError, match="the link was lost"):
                _ = connection.payload_bytes
            _, took_s = await measure(connection.disconnect())
            assert took_s < 0.01

    run_virtual(work())


def test_what_the_device_refuses_is_a_link_error() -> None:
    async def work() -> None:
        async with one_connection() as (_, _, connection):
            with pytest.raises(LinkError, match=r"writing .* failed: GATT Protocol Error: Write Not Permitted"):
                await connection.write(uuids.BATTERY_LEVEL, b"\x64", response=True)
            with pytest.raises(LinkError, match="was not found"):
                await connection.read("0000dead-0000-1000-8000-00805f9b34fb")
            assert len(await connection.read(uuids.BATTERY_LEVEL)) == 1

    run_virtual(work())


def test_a_lost_transport_makes_the_radio_unusable_and_says_so() -> None:
    async def work() -> None:
        async with on_the_air(2) as (air, stations), open_gateway_radio(air) as gateway:
            first, second = await gateway.radio.scan(1.0)
            connection = await gateway.radio.connect(first, 5.0)
            stations[1].cut()
            pending = asyncio.ensure_future(measure(gateway.radio.connect(second, 20.0)))
            await asyncio.sleep(1.0)
            gateway.source.on_transport_lost()
            outcome, took_s = await pending
            assert isinstance(outcome, RadioDownError)
            assert took_s == pytest.approx(1.0, abs=0.01)
            await connection.wait_lost()
            with pytest.raises(LinkError):
                await connection.read(uuids.CAPABILITIES)
            with pytest.raises(RadioDownError, match=r"^the controller at pipe is gone: plug the adapter in again"):
                await gateway.radio.connect(first, 5.0)
            with pytest.raises(RadioDownError, match=r"^scanning failed \(no controller at pipe: no answer in time\): plug the adapter in"):
                await gateway.radio.scan(5.0)
            await connection.disconnect()

    run_virtual(work())


@pytest.mark.parametrize("radio", ["", "bluez", "bumble", "bumble:", "usb:0"])
def test_a_radio_that_cannot_be_is_refused(radio: str) -> None:
    async def work() -> None:
        with pytest.raises(UsageError, match="use 'platform', or 'bumble:' and a transport"):
            async with open_radio(radio):
                pass

    run_virtual(work())
