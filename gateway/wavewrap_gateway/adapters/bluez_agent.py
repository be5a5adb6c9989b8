"""Our pairing agent for BlueZ: it hands the passkey over for one wrap while a person has the pairing open, and refuses all else.

bleak has no agent; without one BlueZ cannot ask anybody. It is registered for the time of one pairing only, so that nothing that happens
at another time can pair with this host.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bleak.exc import BleakError
from dbus_fast import DBusError
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusObjectPath, DBusStr, DBusUInt16, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method

from wavewrap_gateway.adapters.bluez_bus import call
from wavewrap_gateway.runtime.ports import Passkey

__all__ = ["AGENT_PATH", "PasskeyAgent", "open_agent"]

AGENT_PATH = "/org/wavewrap/agent"

_MANAGER_PATH = "/org/bluez"
_MANAGER = "org.bluez.AgentManager1"
_CAPABILITY = "KeyboardOnly"
"""The wrap shows, this host types."""

_UNREGISTER_S = 2.0
"""Longest wait for BlueZ to drop the agent. Choice: closing the bus drops it as well."""

_REJECTED = "org.bluez.Error.Rejected"
_CANCELED = "org.bluez.Error.Canceled"

_log = logging.getLogger(__name__)


class PasskeyAgent(ServiceInterface):
    """``org.bluez.Agent1`` for the wrap with ``address``. ``asked`` tells whether BlueZ wanted the passkey."""

    def __init__(self, address: str, passkey: Passkey) -> None:
        super().__init__("org.bluez.Agent1")
        self._device_suffix = f"/dev_{address.upper().replace(':', '_')}"
        self._passkey = passkey
        self._asking: asyncio.Future[int | None] | None = None
        self.asked = False
        self.broken_off = False

    @dbus_method("RequestPasskey")
    async def request_passkey(self, device: DBusObjectPath) -> DBusUInt32:
        """The six digits that the wrap shows."""
        if not device.endswith(self._device_suffix):
            raise _refuse(f"a passkey for {device}")
        self.asked = True
        self._asking = asyncio.ensure_future(self._passkey())
        await asyncio.wait({self._asking})
        if self._asking.cancelled():
            raise DBusError(_CANCELED, "the pairing is over")
        number = self._asking.result()
        if number is None:
            self.broken_off = True
            raise DBusError(_CANCELED, "nobody typed a passkey")
        return number

    @dbus_method("Cancel")
    def cancel(self) -> None:
        """BlueZ no longer waits for the passkey."""
        if self._asking is not None:
            self._asking.cancel()

    @dbus_method("Release")
    def release(self) -> None:
        """BlueZ has dropped this agent."""
        self.cancel()

    @dbus_method("RequestPinCode")
    def request_pin_code(self, device: DBusObjectPath) -> DBusStr:
        """Of classic Bluetooth; refused."""
        raise _refuse(f"a PIN for {device}")

    @dbus_method("DisplayPinCode")
    def display_pin_code(self, device: DBusObjectPath, _pin: DBusStr) -> None:
        """Of classic Bluetooth; refused."""
        raise _refuse(f"showing a PIN of {device}")

    @dbus_method("DisplayPasskey")
    def display_passkey(self, device: DBusObjectPath, _passkey: DBusUInt32, _entered: DBusUInt16) -> None:
        """The wrap shows, not this host; refused."""
        raise _refuse(f"showing a passkey of {device}")

    @dbus_method("RequestConfirmation")
    def request_confirmation(self, device: DBusObjectPath, _passkey: DBusUInt32) -> None:
        """Would bond without anybody typing what the wrap shows; refused."""
        raise _refuse(f"confirming a pairing of {device}")

    @dbus_method("RequestAuthorization")
    def request_authorization(self, device: DBusObjectPath) -> None:
        """A pairing that the other side began; refused."""
        raise _refuse(f"a pairing begun by {device}")

    @dbus_method("AuthorizeService")
    def authorize_service(self, device: DBusObjectPath, _uuid: DBusStr) -> None:
        """A service of this host; refused."""
        raise _refuse(f"a service for {device}")


def _refuse(what: str) -> DBusError:
    _log.warning("refused: %s", what)
    return DBusError(_REJECTED, "only the passkey of the wrap being paired is given")


@asynccontextmanager
async def open_agent(bus: MessageBus, address: str, passkey: Passkey) -> AsyncIterator[PasskeyAgent]:
    """The system's default agent while the context is open. Raises :class:`BleakError`."""
    agent = PasskeyAgent(address, passkey)
    bus.export(AGENT_PATH, agent)
    try:
        await call(bus, _MANAGER_PATH, _MANAGER, "RegisterAgent", "os", AGENT_PATH, _CAPABILITY)
        # BlueZ asks the agent of the connection that pairs, which is bleak's own and has none, or else the default one.
        await call(bus, _MANAGER_PATH, _MANAGER, "RequestDefaultAgent", "o", AGENT_PATH)
        yield agent
    finally:
        agent.cancel()
        try:
            async with asyncio.timeout(_UNREGISTER_S):
                await call(bus, _MANAGER_PATH, _MANAGER, "UnregisterAgent", "o", AGENT_PATH)
        except (BleakError, OSError, EOFError) as cause:
            _log.info("the agent ends with its bus: %s", cause)
        bus.unexport(AGENT_PATH, agent)
