"""Who may read, write and subscribe to what: the checks that bumble's GATT server leaves to its owner.

bumble takes any encrypted link for an authenticated one, lets anybody subscribe, and enforces no properties. Not responsible for what the
characteristics mean (:mod:`wavewrap_sim.gatt`), for what they ask of a link (:mod:`wavewrap_sim.permissions`), nor for when the wrap pairs
(:mod:`wavewrap_sim.pairing_window`).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bumble import att
from bumble.att import ATT_Error, Attribute, AttributeValueV2, Bearer, ErrorCode, is_enhanced_bearer
from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR, Characteristic, Descriptor
from bumble.gatt_server import Server
from bumble.keys import PairingKeys
from bumble.pairing import PairingConfig, PairingDelegate

from wavewrap_sim.bonds import BondFile, WrapBonds
from wavewrap_sim.pairing_window import PairingWindow
from wavewrap_sim.permissions import REQUIRED, SecurityLevel

__all__ = ["GattSecurity", "GuardedServer", "SecurityMode"]

_CCCD_BYTES = 2

_log = logging.getLogger(__name__)

_READ = Characteristic.Properties.READ
_NOTIFY = Characteristic.Properties.NOTIFY
_INDICATE = Characteristic.Properties.INDICATE
_WRITES = Characteristic.Properties.WRITE | Characteristic.Properties.WRITE_WITHOUT_RESPONSE


class SecurityMode(StrEnum):
    """What the wraps of a simulator ask of a gateway."""

    OPEN = "open"
    PASSKEY = "passkey"


class GuardedServer(Server):
    """bumble's server, telling requests from commands and without its ways around an orderly refusal."""

    def on_att_write_request(self, bearer: Bearer, request: att.ATT_Write_Request) -> None:
        """Refused where only commands are taken."""
        self._refuse_request(bearer, request.attribute_handle)
        super().on_att_write_request(bearer, request)

    def on_att_prepare_write_request(self, bearer: Bearer, request: att.ATT_Prepare_Write_Request) -> None:
        """Refused at once (Bluetooth Core, Vol 3 Part F 3.4.6.1); bumble would refuse at the end of the queue."""
        self._refuse_request(bearer, request.attribute_handle)
        super().on_att_prepare_write_request(bearer, request)

    def on_att_write_command(self, bearer: Bearer, request: att.ATT_Write_Command) -> None:
        """A command that may not be given is ignored (Vol 3 Part F 3.4.5.3); bumble would log it as its own failure."""
        value = self._value_of(request.attribute_handle)
        if value is None:
            error: ErrorCode | None = ErrorCode.WRITE_NOT_PERMITTED
        else:
            error = value.write_error(bearer) if value.takes_commands else ErrorCode.WRITE_NOT_PERMITTED
        if error is None:
            super().on_att_write_command(bearer, request)
        else:
            _log.info("a command to handle %d is ignored: %s", request.attribute_handle, error.name)

    def _refuse_request(self, bearer: Bearer, handle: int) -> None:
        attribute, value = self.get_attribute(handle), self._value_of(handle)
        if value is not None:
            _refuse(value.write_error(bearer) if value.takes_requests else ErrorCode.WRITE_NOT_PERMITTED, handle)
        elif attribute is not None and not attribute.permissions & Attribute.WRITEABLE:
            # A declaration, or a value of the Bluetooth core's own services: bumble would let anybody overwrite them.
            _refuse(ErrorCode.WRITE_NOT_PERMITTED, handle)

    def _value_of(self, handle: int) -> "_GuardedValue | None":
        attribute = self.get_attribute(handle)
        return attribute.value if attribute is not None and isinstance(attribute.value, _GuardedValue) else None

    def on_att_read_multiple_request(self, bearer: Bearer, request: att.ATT_Read_Multiple_Request) -> None:
        """Not supported, as it may be (Vol 3 Part F 3.4.4.7): bumble would never answer when one of the values may not be read."""
        self.on_att_request(bearer, request)

    def on_att_read_multiple_variable_request(self, bearer: Bearer, request: att.ATT_Read_Multiple_Variable_Request) -> None:
        """Not supported, for the same reason."""
        self.on_att_request(bearer, request)


class GattSecurity:
    """The ``bonds`` of one wrap and what they let a link do, and the ``window`` in which it makes new ones.

    Without a window the wrap serves everybody: properties are enforced, and nothing else. ``tell`` gets what came of each attempt to pair
    (a word of :class:`wavewrap_sim.log.PairingEntry`) and whose it was.
    """

    def __init__(
        self,
        window: PairingWindow | None,
        bonds: WrapBonds | None = None,
        tell: Callable[[str, Connection], None] = lambda _event, _central: None,
    ) -> None:
        self._window = window
        self._bonds = BondFile(None).bonds_of("") if bonds is None else bonds
        self._tell = tell
        self._links: dict[Connection, _LinkKeys] = {}

    def install(self, device: Device) -> None:
        """Make ``device`` keep its bonds here, pair as a wrap does, and answer through a :class:`GuardedServer`; it has no services yet."""
        self._device = device
        device.keystore = self._bonds
        device.pairing_config_factory = self._pairing
        device.host.long_term_key_provider = self._provide_key
        device.gatt_server = GuardedServer(device)
        device.add_default_services()

    def watch(self, connection: Connection) -> None:
        """``connection`` is new: follow its encryption and its pairings."""
        link = self._links[connection] = _LinkKeys()

        def adopt() -> None:
            link.in_use = link.offered

        def paired(_keys: PairingKeys) -> None:
            self._tell("paired", connection)
            if self._window is not None:
                self._window.close()

        def failed(_reason: int) -> None:
            # A second attempt would otherwise go on in the middle of the first one.
            self._device.smp_manager.sessions.pop(connection.handle, None)
            if self._window is not None and self._window.passkey is not None:
                self._tell("failed", connection)
                self._window.fail()
            else:
                self._tell("refused", connection)

        connection.on(Connection.EVENT_CONNECTION_ENCRYPTION_CHANGE, adopt)
        connection.on(Connection.EVENT_CONNECTION_ENCRYPTION_KEY_REFRESH, adopt)
        connection.on(Connection.EVENT_PAIRING, paired)
        connection.on(Connection.EVENT_PAIRING_FAILURE, failed)
        connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: self._links.pop(connection, None))

    def level_of(self, connection: Connection) -> SecurityLevel:
        """What the link is worth: its key counts as authenticated when the bond that it belongs to says so.

        bumble's own ``connection.authenticated`` is set by Just Works too. Keys of legacy pairing lie elsewhere in a bond and never count.
        """
        link = self._links.get(connection)
        if link is None or link.in_use is None or not connection.is_encrypted:
            return SecurityLevel.OPEN
        bonds = (bond.ltk for bond in self._bonds.all_keys.values())
        known = any(key is not None and key.authenticated and key.value == link.in_use for key in bonds)
        return SecurityLevel.AUTHENTICATED if known else SecurityLevel.ENCRYPTED

    def permits(self, connection: Connection, uuid: str) -> bool:
        """Whether the characteristic's values may go over this link now."""
        return self._error(connection, uuid) is None

    def make_characteristic(
        self, uuid: str, properties: Characteristic.Properties, read: Callable[[], bytes], write: Callable[[bytes], None]
    ) -> Characteristic[bytes]:
        """A characteristic, with its CCCD where it has one, that lets through only what ``properties`` and :data:`REQUIRED` allow."""
        value = _GuardedValue(
            lambda _bearer: read(),
            lambda _bearer, data: write(bytes(data)),
            lambda bearer: self._error(bearer, uuid) if properties & _READ else ErrorCode.READ_NOT_PERMITTED,
            lambda bearer: self._error(bearer, uuid) if properties & _WRITES else ErrorCode.WRITE_NOT_PERMITTED,
            properties,
        )
        permissions = Attribute.Permissions(0)
        if properties & _READ:
            permissions |= Attribute.READABLE
        if properties & _WRITES:
            permissions |= Attribute.WRITEABLE
        made: Characteristic[bytes] = Characteristic(UUID(uuid), properties, permissions)
        made.value = value  # type: ignore[assignment]  # bumble takes it, its annotation does not say so
        if properties & (_NOTIFY | _INDICATE):
            made.descriptors = [self._make_cccd(uuid, made)]
        return made

    def _make_cccd(self, uuid: str, characteristic: Characteristic[bytes]) -> Descriptor:
        """Readable by anybody, as it has to be (Vol 3 Part G 3.3.3.3); written under the security of its characteristic."""
        allowed = (0x01 if characteristic.properties & _NOTIFY else 0) | (0x02 if characteristic.properties & _INDICATE else 0)

        def subscribe(bearer: Bearer, data: bytes) -> None:
            if len(data) != _CCCD_BYTES:
                raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH)
            if data[0] & ~allowed or data[1]:
                raise ATT_Error(ErrorCode.CCCD_IMPROPERLY_CONFIGURED)
            self._device.gatt_server.write_cccd(bearer, characteristic, bytes(data))

        value = _GuardedValue(
            lambda bearer: self._device.gatt_server.read_cccd(bearer, characteristic),
            subscribe,
            lambda _bearer: None,
            lambda bearer: self._error(bearer, uuid),
            Characteristic.Properties.READ | Characteristic.Properties.WRITE,
        )
        return Descriptor(GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR, Attribute.READABLE | Attribute.WRITEABLE, value)

    def _error(self, bearer: Bearer, uuid: str) -> ErrorCode | None:
        """What keeps the link from the characteristic, by the table of Vol 3 Part C 10.3.1; ``None``: nothing."""
        connection = bearer.connection if is_enhanced_bearer(bearer) else bearer
        level = self.level_of(connection)
        if self._window is None or level >= REQUIRED[uuid]:
            return None
        bonded = str(connection.peer_address) in self._bonds.all_keys
        if level is SecurityLevel.OPEN and bonded:
            return ErrorCode.INSUFFICIENT_ENCRYPTION
        return ErrorCode.INSUFFICIENT_AUTHENTICATION

    def forget_bonds(self) -> None:
        """Every gateway has to pair anew; a link that is up is worth no more than an encrypted one from now on."""
        self._bonds.forget_all()

    def _pairing(self, _connection: Connection) -> PairingConfig:
        return PairingConfig(
            sc=True,
            mitm=self._window is not None,
            bonding=True,
            delegate=PairingDelegate() if self._window is None else _Display(self._window.passkey),
            # The address it advertises: a bond under another one would not be found again.
            identity_address_type=PairingConfig.AddressType.RANDOM,
        )

    async def _provide_key(self, handle: int, rand: bytes, ediv: int) -> bytes | None:
        """The key to encrypt a link with, remembered until the link really is encrypted with it."""
        connection = self._device.lookup_connection(handle)
        session = self._device.smp_manager.sessions.get(handle)
        # bumble fails, and never answers, when it is asked before the pairing has come as far as a key.
        if connection is None or (session is not None and session.sc and not hasattr(session, "ltk")):
            return None
        key = await self._device.get_long_term_key(handle, rand, ediv)
        if connection in self._links:
            self._links[connection].offered = key
        return key


@dataclass(slots=True)
class _LinkKeys:
    """Of one link: the key last given out, and the one that it is encrypted with."""

    offered: bytes | None = None
    in_use: bytes | None = None


class _Display(PairingDelegate):
    """A wrap has a display and no keys to press. It pairs while ``passkey`` is shown; there is none outside the window."""

    def __init__(self, passkey: int | None) -> None:
        super().__init__(
            PairingDelegate.DISPLAY_OUTPUT_ONLY,
            # The address is static, so there is no identity to give away.
            local_responder_key_distribution=PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY,
        )
        self._passkey = passkey

    async def accept(self) -> bool:
        """Only in the window."""
        return self._passkey is not None

    async def generate_passkey(self) -> int:
        """The passkey that is shown anyway."""
        assert self._passkey is not None  # nothing gets this far outside the window
        return self._passkey


class _GuardedValue(AttributeValueV2[bytes]):
    """A value whose every read and write passes a check first, whichever way bumble comes to it."""

    def __init__(
        self,
        read: Callable[[Bearer], bytes],
        write: Callable[[Bearer, bytes], None],
        read_error: Callable[[Bearer], ErrorCode | None],
        write_error: Callable[[Bearer], ErrorCode | None],
        properties: Characteristic.Properties,
    ) -> None:
        super().__init__(read, write)
        self._read_error = read_error
        self.write_error = write_error
        self.takes_requests = bool(properties & Characteristic.Properties.WRITE)
        self.takes_commands = bool(properties & Characteristic.Properties.WRITE_WITHOUT_RESPONSE)

    def read(self, bearer: Bearer) -> bytes:
        _refuse(self._read_error(bearer))
        return super().read(bearer)  # type: ignore[return-value]  # what was given to the constructor awaits nothing

    def write(self, bearer: Bearer, value: bytes) -> None:
        # Not awaitable: bumble would let a later write overtake one that waits.
        _refuse(self.write_error(bearer))
        super().write(bearer, value)


def _refuse(error: ErrorCode | None, handle: int = 0) -> None:
    """Raise ``error``; inside a value bumble fills in the ``handle``."""
    if error is not None:
        raise ATT_Error(error, handle)
