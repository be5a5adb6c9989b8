"""Bonds through bumble: what lies on disk, and what the gateway refuses of a wrap that is less than it should be."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from bleak import BleakClient
from bumble.core import UUID, AdvertisingData, ProtocolError
from bumble.device import Connection, Device
from bumble.hci import Address
from bumble.host import Host
from bumble.keys import PairingKeys
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import AsyncPipeSink
from tests.support.virtual_air import CuttableAir
from tests.support.virtual_link_rig import VirtualLinkRig, open_virtual_rig
from tests.support.virtual_wraps import open_gateway_radio

from wavewrap_gateway.adapters.ble import BleakRadio, open_radio
from wavewrap_gateway.adapters.bumble_bonds import BumbleBonds
from wavewrap_gateway.adapters.bumble_client import BumbleClient
from wavewrap_gateway.adapters.bumble_keys import BumbleKeys
from wavewrap_gateway.adapters.bumble_scanner import BumbleScanner
from wavewrap_gateway.core.link_state import link_word
from wavewrap_gateway.runtime.link_events import LinkChanged
from wavewrap_gateway.runtime.pairing import pair_wrap
from wavewrap_gateway.runtime.ports import BondDoubtedError, BondLostError, PairingRefusedError, Passkey, Sighting
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_protocol import uuids
from wavewrap_protocol.errors import LinkError, UsageError
from wavewrap_sim.air import Air, AirController
from wavewrap_sim.virtual_time import run_virtual


def typed(passkey: int | None) -> Passkey:
    async def ask() -> int | None:
        return passkey

    return ask


async def sight(rig: VirtualLinkRig) -> Sighting:
    (sighting,) = await rig.radio.scan(1.0)
    return sighting


async def pair(rig: VirtualLinkRig) -> None:
    passkey = await rig.press_pairing_button()
    await pair_wrap(rig.radio, await sight(rig), typed(passkey))


def test_keys_and_the_address_that_they_belong_to_are_kept_for_the_owner_alone(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_virtual_rig(tmp_path) as rig:
            assert not rig.keys.exists(), "a radio without bonds leaves nothing on disk"
            own = str(rig.gateway.host.device.random_address)
            await pair(rig)
            assert stat.S_IMODE(rig.keys.stat().st_mode) == 0o600
            assert stat.S_IMODE((tmp_path / "bonds.json").stat().st_mode) == 0o600
            (entry,) = json.loads(rig.keys.read_text())["radios"].values()
            assert entry["address"] == own
            assert list(entry["bonds"]) == [rig.address]
            assert entry["bonds"][rig.address]["ltk"]["authenticated"] is True
            await rig.restart_gateway()
            assert str(rig.gateway.host.device.random_address) == own

    run_virtual(work())
    assert {path.name for path in tmp_path.iterdir()} == {"keys.json", "bonds.json"}


def test_radios_share_a_file_and_neither_bonds_nor_address(tmp_path: Path) -> None:
    async def work() -> None:
        path = tmp_path / "deep" / "keys.json"
        first, second = BumbleKeys(path, "usb:0"), BumbleKeys(path, "usb:1")
        key = PairingKeys(ltk=PairingKeys.Key(bytes(range(16)), authenticated=True))
        await first.update("F0:57:52:00:00:01", key)
        await second.update("F0:57:52:00:00:02", key)
        assert first.own_address() != second.own_address()
        assert [name for name, _ in await BumbleKeys(path, "usb:0").get_all()] == ["F0:57:52:00:00:01"]
        assert await BumbleKeys(path, "usb:0").get("F0:57:52:00:00:02") is None
        assert await BumbleKeys(path, "usb:1").get("F0:57:52:00:00:02") == key
        await first.delete("F0:57:52:00:00:02")
        await first.delete("F0:57:52:00:00:01")
        assert await first.get_all() == []
        assert len(await second.get_all()) == 1

    run_virtual(work())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "line 1: Invalid JSON"),
        ('{"radios": {"tcp-client:x": {}}}', "radios.tcp-client:x.address: Field required"),
        ('{"radios": {"tcp-client:x": {"address": "C0:00:00:00:00:01", "bonds": {"F0": {"ltk": {}}}}}}', "holds a bond without keys"),
    ],
)
def test_a_broken_key_file_is_told_with_its_name(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text, encoding="utf-8")

    async def work() -> None:
        with pytest.raises(UsageError, match=r"keys\.json: .*move the file away and pair again") as caught:
            async with open_radio("bumble:tcp-client:x", path):
                pass
        assert told in str(caught.value)

    run_virtual(work())


def test_a_bond_that_cannot_be_written_is_no_bond(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_virtual_rig(tmp_path) as rig:
            rig.keys.parent.joinpath("keys.json").mkdir()  # in the way of the file
            passkey = await rig.press_pairing_button()
            with pytest.raises(LinkError, match=r"keys\.json: cannot be"):
                await rig.radio.pair(await sight(rig), typed(passkey), 10.0)

    run_virtual(work())


def test_a_wrap_with_another_key_has_forgotten_the_bond(tmp_path: Path) -> None:
    """Nothing that answers to the wrap's address gets a link without the bond's key."""

    async def work() -> None:
        async with open_virtual_rig(tmp_path) as rig:
            await pair(rig)
            keys = rig.gateway.host.keys
            await keys.update(rig.address, PairingKeys(ltk=PairingKeys.Key(bytes(16), authenticated=True)))
            with pytest.raises(BondLostError):
                await rig.radio.connect(await sight(rig), 5.0)
            assert await rig.radio.is_bonded(rig.address)

    run_virtual(work())


def test_no_window_no_bond_and_the_wrap_says_why(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_virtual_rig(tmp_path) as rig:
            with pytest.raises(PairingRefusedError, match=f"^{rig.address} did not pair: its pairing window is closed"):
                await rig.radio.pair(await sight(rig), typed(123_456), 10.0)
            assert await rig.pairings() == ["refused"]

    run_virtual(work())


def test_the_zero_passkey_is_told_apart_from_waiting(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_virtual_rig(tmp_path) as rig:
            await rig.press_pairing_button()
            with pytest.raises(PairingRefusedError, match="000000 cannot be typed here"):
                await rig.radio.pair(await sight(rig), typed(0), 10.0)

    run_virtual(work())


def test_a_person_who_is_too_slow_or_gives_up_leaves_the_radio_usable(tmp_path: Path) -> None:
    async def never() -> int | None:
        await asyncio.Event().wait()
        return None

    async def work() -> None:
        async with open_virtual_rig(tmp_path) as rig:
            await rig.press_pairing_button()
            with pytest.raises(PairingRefusedError, match="did not pair within 20 s: press its pairing button"):
                await rig.radio.pair(await sight(rig), never, 20.0)
            pairing = asyncio.create_task(rig.radio.pair(await sight(rig), never, 20.0))
            await asyncio.sleep(5.0)
            pairing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pairing
            assert not await rig.radio.is_bonded(rig.address)
            await asyncio.sleep(1.0)
            await pair(rig)

    run_virtual(work())


async def never_measured(_client: BleakClient, _uuid: str) -> int | None:
    raise AssertionError("no link came about")


class _Untold(BumbleBonds):
    """As with BlueZ, which has no word for a bond that is lost."""

    tells = False


def test_where_the_stack_does_not_tell_a_bonded_wrap_that_lets_connects_time_out_is_doubted(tmp_path: Path) -> None:
    async def work() -> None:
        air = CuttableAir()
        async with open_virtual_rig(tmp_path, air=air) as rig:
            await pair(rig)
            host = rig.gateway.host
            scanner, client = {"backend": BumbleScanner, "radio": host}, {"backend": BumbleClient, "radio": host}
            untold = BleakRadio(scanner, client, _Untold(host), "", measure=never_measured, revive=host.revive, close=host.close)
            sighting = await sight(rig)
            air.stall(rig.station.controller(0))
            with pytest.raises(BondDoubtedError, match="if that goes on, it has forgotten this gateway: run 'wavewrap pair'"):
                await untold.connect(sighting, 5.0)
            wrap = Wrap(untold, sighting, asyncio.get_running_loop().time, Random(1))
            states: list[str] = []
            wrap.listen(lambda _wrap, event: states.append(link_word(event.state)) if isinstance(event, LinkChanged) else None)
            await wrap.link.run()
            assert states == ["connecting", "lost", "searching", "connecting", "bond_lost"]
            assert wrap.link.counts.lost_bonds == 1
            await host.keys.delete(rig.address)
            with pytest.raises(LinkError, match="did not answer within 5 s") as caught:
                await untold.connect(sighting, 5.0)
            assert not isinstance(caught.value, BondDoubtedError)

    run_virtual(work())


OTHER = "F0:00:00:00:00:09"


@asynccontextmanager
async def other_device(air: Air, config: PairingConfig) -> AsyncIterator[Device]:
    """A device that calls itself a wrap and pairs by ``config``."""
    controller = AirController("other", link=air, public_address="00:00:5E:00:54:09")
    device = Device(name="other", address=Address(OTHER), host=Host(controller, AsyncPipeSink(controller)))
    device.pairing_config_factory = lambda _connection: config
    await device.power_on()
    maker = uuids.ADVERTISED_COMPANY_ID.to_bytes(2, "little") + b"\x01WR-X"
    service = (AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, bytes(UUID(uuids.SERVICE)))
    data = AdvertisingData([service, (AdvertisingData.MANUFACTURER_SPECIFIC_DATA, maker)])
    await device.start_advertising(advertising_data=bytes(data), advertising_interval_min=100.0, auto_restart=True)
    try:
        yield device
    finally:
        air.leave(controller)
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("sc", "capability", "reason"),
    [
        (True, PairingDelegate.NO_OUTPUT_NO_INPUT, "it asked for no passkey, so nobody can tell who it is"),
        (False, PairingDelegate.DISPLAY_OUTPUT_ONLY, "it cannot do LE Secure Connections"),
    ],
)
def test_less_than_a_passkey_and_secure_connections_is_no_bond(
    sc: bool, capability: PairingDelegate.IoCapability, reason: str, tmp_path: Path
) -> None:
    class Fixed(PairingDelegate):
        async def generate_passkey(self) -> int:
            return 123_456

    config = PairingConfig(sc=sc, mitm=True, delegate=Fixed(capability), identity_address_type=PairingConfig.AddressType.RANDOM)

    async def work() -> None:
        air = CuttableAir()
        async with other_device(air, config), open_gateway_radio(air, tmp_path / "keys.json") as gateway:
            (sighting,) = await gateway.radio.scan(1.0)
            with pytest.raises(PairingRefusedError, match=f"^{OTHER} did not pair: {reason}"):
                await gateway.radio.pair(sighting, typed(123_456), 20.0)
            assert not await gateway.radio.is_bonded(OTHER)

    run_virtual(work())


def test_a_device_that_starts_a_pairing_by_itself_is_turned_down(tmp_path: Path) -> None:
    """Nothing pairs with the gateway but what a person asked for."""
    config = PairingConfig(delegate=PairingDelegate(PairingDelegate.DISPLAY_OUTPUT_ONLY))

    async def work() -> None:
        air = CuttableAir()
        async with other_device(air, config) as device, open_gateway_radio(air, tmp_path / "keys.json") as gateway:
            links: list[Connection] = []
            device.on(Device.EVENT_CONNECTION, links.append)
            (sighting,) = await gateway.radio.scan(1.0)
            with pytest.raises(LinkError):
                # It has no services of a wrap; what counts is the link.
                await (await gateway.radio.connect(sighting, 5.0)).read(uuids.CAPABILITIES)
            with pytest.raises(ProtocolError, match="PAIRING_NOT_SUPPORTED"):
                await links[0].pair()
            assert not await gateway.radio.is_bonded(OTHER)

    run_virtual(work())
