"""A bumble central on an air in this process, as plain as bumble has it: no gateway, no bleak.

Not responsible for what is on the air with it.
"""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bumble.att import ATT_Error, ErrorCode
from bumble.device import Connection, Device, Peer
from bumble.gatt import GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import Address
from bumble.host import Host
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import AsyncPipeSink

from wavewrap_sim.air import Air, AirController

__all__ = ["Central", "Keypad", "WrapClient", "error_of", "open_central"]


class Keypad(PairingDelegate):
    """Somebody who types ``passkey``; what was asked of the person is kept in ``asked``."""

    def __init__(self, passkey: int) -> None:
        super().__init__(PairingDelegate.KEYBOARD_INPUT_ONLY)
        self.passkey = passkey
        self.asked = 0

    async def get_number(self) -> int:
        """The passkey."""
        self.asked += 1
        return self.passkey


@dataclass(frozen=True, slots=True)
class WrapClient:
    """A connection to a wrap, its characteristics by UUID in the protocol's spelling."""

    connection: Connection
    peer: Peer
    characteristics: dict[str, CharacteristicProxy[bytes]]

    async def read(self, uuid: str) -> bytes:
        """Raises :class:`ATT_Error`."""
        return await self.peer.read_value(self.characteristics[uuid])

    async def write(self, uuid: str, data: bytes, with_response: bool = True) -> None:
        """Raises :class:`ATT_Error` for a request that is refused."""
        await self.peer.write_value(self.characteristics[uuid].handle, data, with_response)

    async def write_cccd(self, uuid: str, data: bytes) -> None:
        """Raises :class:`ATT_Error`."""
        await self.peer.write_value(self._cccd_of(uuid), data, with_response=True)

    async def read_cccd(self, uuid: str) -> bytes:
        """Raises :class:`ATT_Error`."""
        return await self.peer.read_value(self._cccd_of(uuid))

    def has_cccd(self, uuid: str) -> bool:
        """Whether there is anything to subscribe to."""
        return self.characteristics[uuid].get_descriptor(GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR) is not None

    def _cccd_of(self, uuid: str) -> int:
        found = self.characteristics[uuid].get_descriptor(GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR)
        assert found is not None
        return found.handle


@dataclass(frozen=True, slots=True)
class Central:
    """A central that is switched on."""

    air: Air
    device: Device
    controller: AirController

    def use(self, delegate: PairingDelegate, *, sc: bool = True, mitm: bool = True) -> None:
        """Pair like this from now on."""
        self.device.pairing_config_factory = lambda _connection: PairingConfig(
            sc=sc, mitm=mitm, delegate=delegate, identity_address_type=PairingConfig.AddressType.RANDOM
        )

    async def connect(self, address: str, timeout_s: float = 10.0) -> Connection:
        """Raises bumble's errors."""
        return await self.device.connect(Address(address), timeout=timeout_s)

    async def explore(self, connection: Connection) -> WrapClient:
        """Negotiate the MTU and find every characteristic and descriptor."""
        peer = Peer(connection)
        await peer.request_mtu(247)
        await peer.discover_services()
        found: dict[str, CharacteristicProxy[bytes]] = {}
        for service in peer.services:
            for characteristic in await service.discover_characteristics():
                await characteristic.discover_descriptors()
                found[_spelled(characteristic)] = characteristic
        return WrapClient(connection, peer, found)


def _spelled(characteristic: CharacteristicProxy[bytes]) -> str:
    digits = characteristic.uuid.uuid_128_bytes[::-1].hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


@asynccontextmanager
async def open_central(air: Air, number: int = 1) -> AsyncIterator[Central]:
    """Central ``number`` on ``air``; it falls silent at the end."""
    controller = AirController(f"central {number}", link=air, public_address=f"00:00:5E:00:53:{number:02X}")
    address = Address(f"C0:00:00:00:00:{number:02X}")
    device = Device(name="central", address=address, host=Host(controller, AsyncPipeSink(controller)))
    await device.power_on()
    try:
        yield Central(air, device, controller)
    finally:
        air.leave(controller)


async def error_of(call: Awaitable[object]) -> ErrorCode | None:
    """The ATT error that ``call`` ends in; ``None`` when it succeeds."""
    try:
        await call
    except ATT_Error as error:
        return ErrorCode(error.error_code)
    return None
