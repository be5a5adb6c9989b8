"""The wrap's pairing button: a new passkey each time, a window that closes, bonds that outlive the wrap and are each gateway's own."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bumble.core import AdvertisingData, ProtocolError
from bumble.device import Advertisement, Connection, Device
from tests.support.central import Central, Keypad, error_of, open_central
from tests.support.virtual_air import CuttableAir
from tests.support.virtual_wraps import Station, make_station

from wavewrap_protocol import uuids
from wavewrap_protocol.enums import AdvertisingFlag
from wavewrap_protocol.errors import UsageError
from wavewrap_sim.bonds import BondFile
from wavewrap_sim.log import PairingEntry
from wavewrap_sim.pairing_window import ATTEMPTS_MAX, WINDOW_S
from wavewrap_sim.virtual_time import run_virtual


@asynccontextmanager
async def one_wrap(bonds: Path | None = None) -> AsyncIterator[tuple[Station, Central]]:
    air = CuttableAir()
    station = make_station(air, 0, bonds=BondFile(bonds))
    await station.peripheral.start()
    async with open_central(air) as central:
        yield station, central
    await asyncio.sleep(1.0)
    await station.peripheral.stop()


def press(station: Station) -> int:
    station.peripheral.press_pairing_button()
    assert station.peripheral.passkey is not None
    return station.peripheral.passkey


async def pair(central: Central, station: Station, passkey: int) -> Connection:
    connection = await central.connect(station.address)
    central.use(Keypad(passkey))
    await connection.pair()
    return connection


async def leave(connection: Connection) -> None:
    await connection.disconnect()
    await asyncio.sleep(1.0)


async def is_advertised_open(central: Central) -> bool:
    heard: asyncio.Queue[Advertisement] = asyncio.Queue()
    listener = central.device.on(Device.EVENT_ADVERTISEMENT, heard.put_nowait)
    await central.device.start_scanning()
    advertisement = await heard.get()
    await central.device.stop_scanning()
    central.device.remove_listener(Device.EVENT_ADVERTISEMENT, listener)
    content = advertisement.data.get(AdvertisingData.MANUFACTURER_SPECIFIC_DATA)
    assert isinstance(content, tuple)
    return bool(int(content[1][0]) & AdvertisingFlag.PAIRING_WINDOW)


def events(station: Station) -> list[str]:
    return [entry.event for entry in station.log if isinstance(entry, PairingEntry)]


def test_the_window_opens_with_the_button_and_closes_with_time() -> None:
    async def work() -> None:
        async with one_wrap() as (station, central):
            assert station.peripheral.passkey is None
            assert not await is_advertised_open(central)
            first = press(station)
            assert await is_advertised_open(central)
            await asyncio.sleep(WINDOW_S - 5.0)
            second = press(station)
            assert second != first
            await asyncio.sleep(WINDOW_S - 5.0)
            assert station.peripheral.passkey == second, "the button starts the time anew"
            await asyncio.sleep(10.0)
            assert station.peripheral.passkey is None
            assert not await is_advertised_open(central)
            shown = [entry.passkey for entry in station.log if isinstance(entry, PairingEntry) and entry.passkey]
            assert shown == [f"{first:06d}", f"{second:06d}"]
            assert events(station) == ["window_open", "window_open", "window_closed"]
            with pytest.raises(ProtocolError, match="PAIRING_NOT_SUPPORTED"):
                await pair(central, station, second)
            assert events(station)[-1] == "refused"

    run_virtual(work())


def test_the_window_closes_with_a_pairing_and_opens_again_while_linked() -> None:
    async def work() -> None:
        async with one_wrap() as (station, central):
            connection = await pair(central, station, press(station))
            assert station.peripheral.passkey is None
            assert events(station) == ["window_open", "paired", "window_closed"]
            press(station)
            await leave(connection)
            assert await is_advertised_open(central)

    run_virtual(work())


def test_the_window_closes_after_three_wrong_passkeys() -> None:
    async def work() -> None:
        async with one_wrap() as (station, central):
            passkey = press(station)
            for attempt in range(ATTEMPTS_MAX):
                assert station.peripheral.passkey == passkey, attempt
                with pytest.raises(ProtocolError, match="CONFIRM_VALUE_FAILED"):
                    await pair(central, station, passkey % 999_999 + 1)
                await leave(next(iter(central.device.connections.values())))
            assert station.peripheral.passkey is None
            with pytest.raises(ProtocolError, match="PAIRING_NOT_SUPPORTED"):
                await pair(central, station, passkey)

    run_virtual(work())


def test_each_gateway_has_its_own_bond_and_all_are_kept_for_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "bonds.json"

    async def work() -> None:
        async with one_wrap(file) as (station, central), open_central(station.air, 2) as other:
            await leave(await pair(central, station, press(station)))
            await leave(await pair(other, station, press(station)))
            for one in (central, other):
                connection = await one.connect(station.address)
                await connection.encrypt()
                client = await one.explore(connection)
                assert await error_of(client.write_cccd(uuids.CONTROL, b"\x02\x00")) is None
                await leave(connection)
            kept = json.loads(file.read_text(encoding="utf-8"))
            assert {len(bonds) for bonds in kept.values()} == {2}
            keys = (central.device.keystore, other.device.keystore)
        async with one_wrap(file) as (station, central), open_central(station.air, 2) as other:
            for one, stored in zip((central, other), keys, strict=True):
                one.device.keystore = stored
                connection = await one.connect(station.address)
                await connection.encrypt()
                await leave(connection)
            station.peripheral.forget_bonds()
            for one in (central, other):
                connection = await one.connect(station.address)
                with pytest.raises(ProtocolError, match="PIN_OR_KEY_MISSING"):
                    await connection.encrypt()
                await leave(connection)
            assert json.loads(file.read_text(encoding="utf-8")) == {"VIRTUAL-1": {}}

    run_virtual(work())


@pytest.mark.parametrize("text", ["{", "[1]", '{"VIRTUAL-1": {"F0": {"ltk": {}}}}', '{"VIRTUAL-1": 3}'])
def test_a_file_without_bonds_is_refused_with_its_name(text: str, tmp_path: Path) -> None:
    file = tmp_path / "bonds.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"bonds\.json: holds no bonds .*: move it away, or give another with --bonds"):
        BondFile(file).bonds_of("VIRTUAL-1")
