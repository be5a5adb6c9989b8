"""bleak's API on a bumble host: every bumble error comes out as bleak's own, and an abandoned call spoils nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakBluetoothNotAvailableError, BleakError, BleakGATTProtocolError
from bumble.transport.common import AsyncPipeSink, Transport, TransportInitError
from tests.support.virtual_air import CuttableAir
from tests.support.virtual_wraps import GatewayRadio, Station, on_the_air, open_gateway_radio

from wavewrap_gateway.adapters.bumble_client import BumbleClient
from wavewrap_gateway.adapters.bumble_errors import ControllerGoneError
from wavewrap_gateway.adapters.bumble_radio import BumbleRadio
from wavewrap_gateway.adapters.bumble_scanner import BumbleScanner
from wavewrap_protocol import uuids
from wavewrap_protocol.commands import ControlWrite, Stream, TimePing
from wavewrap_protocol.reports import Answer, TimePong
from wavewrap_sim.air import AirController
from wavewrap_sim.hci_pipe import PipeSource, open_pipe
from wavewrap_sim.virtual_time import run_virtual

WRITE_NOT_PERMITTED = 0x03
READ_NOT_PERMITTED = 0x02
"""ATT error codes (Bluetooth Core, Vol 3 Part F 3.4.1.1)."""


async def find(gateway: GatewayRadio, address: str) -> BLEDevice:
    async with BleakScanner(backend=BumbleScanner, radio=gateway.host) as scanner:
        async for device, _ in scanner.advertisement_data():
            if device.address == address:
                return device
    raise AssertionError(f"{address} is not on the air")


@asynccontextmanager
async def one_client() -> AsyncIterator[tuple[GatewayRadio, Station, BleakClient, list[BleakClient]]]:
    """A connected client, and the list that its disconnect callback fills."""
    async with on_the_air(1) as (air, stations), open_gateway_radio(air) as gateway:
        gone: list[BleakClient] = []
        device = await find(gateway, stations[0].address)
        client = BleakClient(device, disconnected_callback=gone.append, timeout=5.0, backend=BumbleClient, radio=gateway.host)
        async with client:
            yield gateway, stations[0], client, gone


def test_services_are_spelled_as_bleak_spells_them() -> None:
    async def work() -> None:
        async with one_client() as (_, _, client, _):
            assert {service.uuid for service in client.services} >= {
                uuids.SERVICE,
                uuids.BATTERY_SERVICE,
                uuids.DEVICE_INFORMATION_SERVICE,
            }
            told = {one.uuid: sorted(one.properties) for one in client.services.characteristics.values()}
            assert told[uuids.CAPABILITIES] == ["read"]
            assert told[uuids.CONTROL] == ["indicate", "write"]
            assert told[uuids.STOP] == ["write", "write-without-response"]
            assert told[uuids.TIME] == ["notify", "write-without-response"]
            assert client.mtu_size == 247
            assert client.name == client.address == "F0:57:52:00:00:01"
            plan = client.services.get_characteristic(uuids.PLAN)
            assert plan is not None
            assert plan.max_write_without_response_size == 244

    run_virtual(work())


def test_notifications_and_indications_arrive_until_unsubscribed() -> None:
    async def work() -> None:
        async with one_client() as (_, _, client, _):
            pongs: list[TimePong] = []
            answers: list[Answer] = []
            await client.start_notify(uuids.TIME, lambda _, data: pongs.append(TimePong.decode(bytes(data))))
            await client.start_notify(uuids.CONTROL, lambda _, data: answers.append(Answer.decode(bytes(data))))
            await client.write_gatt_char(uuids.TIME, TimePing(7).encode(), response=False)
            await client.write_gatt_char(uuids.CONTROL, ControlWrite(9, Stream(0, 0)).encode(), response=True)
            await asyncio.sleep(0.5)
            assert [pong.ping_id for pong in pongs] == [7]
            assert [answer.cmd_id for answer in answers] == [9]
            await client.stop_notify(uuids.TIME)
            await client.write_gatt_char(uuids.TIME, TimePing(8).encode(), response=False)
            await asyncio.sleep(0.5)
            assert [pong.ping_id for pong in pongs] == [7]

    run_virtual(work())


def test_an_att_error_keeps_its_code() -> None:
    async def work() -> None:
        async with one_client() as (_, _, client, _):
            for uuid in (uuids.BATTERY_LEVEL, uuids.SERIAL_NUMBER, uuids.CAPABILITIES, uuids.TELEMETRY):
                with pytest.raises(BleakGATTProtocolError) as raised:
                    await client.write_gatt_char(uuid, b"\x00", response=True)
                assert raised.value.code == WRITE_NOT_PERMITTED
            with pytest.raises(BleakGATTProtocolError) as raised:
                await client.read_gatt_char(uuids.CONTROL)
            assert raised.value.code == READ_NOT_PERMITTED
            assert await client.read_gatt_char(uuids.SERIAL_NUMBER) == b"VIRTUAL-1"

    run_virtual(work())


def test_a_disconnect_during_a_read_is_an_error_and_no_cancellation() -> None:
    async def work() -> None:
        async with one_client() as (_, station, client, gone):
            station.air.stall(station.controller)
            pending = asyncio.create_task(client.read_gatt_char(uuids.CAPABILITIES))
            queued = asyncio.create_task(client.read_gatt_char(uuids.SERIAL_NUMBER))
            await asyncio.sleep(1.0)
            station.cut()
            for task in (pending, queued):
                with pytest.raises(BleakError, match=r"the link was lost during the operation|not connected"):
                    await task
                assert not task.cancelled()
            assert gone == [client]
            assert not client.is_connected
            with pytest.raises(BleakError):
                await client.read_gatt_char(uuids.CAPABILITIES)

    run_virtual(work())


def test_a_cancelled_read_spoils_no_later_one() -> None:
    async def work() -> None:
        async with one_client() as (_, station, client, _):
            station.air.stall(station.controller)
            first = asyncio.create_task(client.read_gatt_char(uuids.CAPABILITIES))
            queued = asyncio.create_task(client.read_gatt_char(uuids.MODEL_NUMBER))
            await asyncio.sleep(1.0)
            for task in (first, queued):
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            later = asyncio.create_task(client.read_gatt_char(uuids.SERIAL_NUMBER))
            await asyncio.sleep(1.0)
            station.restore()
            assert await later == b"VIRTUAL-1"

    run_virtual(work())


@pytest.mark.parametrize("turns", range(12))
def test_a_read_cancelled_as_its_answer_arrives_harms_nothing(turns: int) -> None:
    async def work() -> None:
        async with one_client() as (_, _, client, _):
            read = asyncio.create_task(client.read_gatt_char(uuids.CAPABILITIES))
            for _ in range(turns):
                await asyncio.sleep(0.0)
            read.cancel()
            await asyncio.gather(read, return_exceptions=True)
            assert await client.read_gatt_char(uuids.SERIAL_NUMBER) == b"VIRTUAL-1"

    run_virtual(work())


def test_a_connect_to_nobody_is_a_timeout() -> None:
    async def work() -> None:
        async with on_the_air(1) as (air, stations), open_gateway_radio(air) as gateway:
            device = await find(gateway, stations[0].address)
            stations[0].cut()
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    await BleakClient(device, timeout=2.0, backend=BumbleClient, radio=gateway.host).connect()
            stations[0].restore()
            async with BleakClient(device, timeout=2.0, backend=BumbleClient, radio=gateway.host) as client:
                assert client.is_connected

    run_virtual(work())


def test_a_link_lost_while_it_is_explored_is_an_error() -> None:
    async def work() -> None:
        async with on_the_air(1) as (air, stations), open_gateway_radio(air) as gateway:
            device = await find(gateway, stations[0].address)
            air.delay(gateway.controller, 0.01)
            client = BleakClient(device, timeout=5.0, backend=BumbleClient, radio=gateway.host)
            connect = asyncio.create_task(client.connect())
            await gateway.linked()
            await asyncio.sleep(0.055)
            stations[0].cut()
            with pytest.raises(BleakError, match="the link was lost during the operation"):
                await connect

    run_virtual(work())


def test_a_scan_that_is_cancelled_as_it_starts_leaves_the_radio_usable() -> None:
    async def work() -> None:
        async with on_the_air(1) as (air, stations), open_gateway_radio(air) as gateway:
            for turns in range(8):
                scan = asyncio.create_task(gateway.radio.scan(5.0))
                for _ in range(turns):
                    await asyncio.sleep(0.0)
                scan.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await scan
            assert not gateway.host.device.is_scanning
            assert (await find(gateway, stations[0].address)).address == stations[0].address

    run_virtual(work())


def test_a_radio_without_a_controller_says_which() -> None:
    async def refuse(_spec: str) -> Transport:
        raise OSError(111, "Connection refused")

    async def not_there(_spec: str) -> Transport:
        raise TransportInitError("no such device")

    async def unreadable(_spec: str) -> Transport:
        raise ValueError("what is that")

    async def silent(_spec: str) -> Transport:
        class Nowhere:
            def on_packet(self, _packet: bytes) -> None:
                pass

        return Transport(PipeSource(), AsyncPipeSink(Nowhere()))

    async def work() -> None:
        clock = asyncio.get_running_loop().time
        for opener, told in ((refuse, "Connection refused"), (not_there, "no such device"), (silent, "no answer in time")):
            begun_s = clock()
            with pytest.raises(BleakBluetoothNotAvailableError, match=f"no controller at usb:7: .*{told}"):
                await BumbleRadio("usb:7", opener).open(timeout_s=3.0)
            assert clock() - begun_s == pytest.approx(3.0 if opener is silent else 0.0)
        with pytest.raises(ValueError, match="what is that"):
            await BumbleRadio("usb:7", unreadable).open()

    run_virtual(work())


def test_a_radio_that_is_closed_or_not_open_yet_says_so() -> None:
    async def work() -> None:
        air = CuttableAir()
        controller = AirController("gateway", link=air, public_address="00:00:5E:00:53:01")

        async def hand_over(_spec: str) -> Transport:
            return open_pipe(controller)

        radio = BumbleRadio("usb:0", hand_over)
        with pytest.raises(ControllerGoneError, match="the controller at usb:0 is gone"):
            _ = radio.device
        await radio.open()
        assert radio.device.powered_on
        await radio.close()
        await radio.close()

    run_virtual(work())
