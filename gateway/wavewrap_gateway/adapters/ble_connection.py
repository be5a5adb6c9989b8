"""A link through bleak whose calls cannot hang. What bleak raises in them becomes ours here.

A link is usable until its first timeout: after that it is suspect and is closed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bleak import BleakClient
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError, BleakError, BleakGATTProtocolError, BleakGATTProtocolErrorCode

from wavewrap_gateway.runtime.ports import NotPairedError, PairingWantedError
from wavewrap_protocol.errors import LinkError

__all__ = ["FAILURES", "GATT_TIMEOUT_S", "BleakConnection", "say"]

GATT_TIMEOUT_S = 5.0
"""Longest GATT call. Choice: bleak bounds only connect; five lease renewals fit, and the lease covers what is longer."""

FAILURES = (BleakError, OSError, EOFError)
"""What bleak raises besides its own: time-outs (an OSError), a broken pipe, the end of a D-Bus stream."""

_TOO_LITTLE_SECURITY = (
    BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION,
    BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
    BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION,
)
"""ATT errors of Bluetooth Core, Vol 3 Part C 10.3.1."""

_BLUEZ_NOT_PAIRED = ("org.bluez.Error.NotPermitted", "Not paired")
"""What BlueZ makes of them, and bleak leaves as it is."""

T = TypeVar("T")


class BleakConnection:
    """A connected client. Implements :class:`wavewrap_gateway.runtime.ports.Connection`.

    Without a bond, on a stack that does not tell that one is wanted, a first call that hangs or loses the link may be the stack asking for
    a pairing that nobody has open, and the wrap that hangs up on it.
    """

    def __init__(self, client: BleakClient, lost: asyncio.Event, payload_bytes: int | None, *, bonded: bool | None, tells: bool) -> None:
        self.client = client
        self.bonded = bonded
        self._payload_bytes = payload_bytes
        self._lost = lost
        self._may_want_pairing = bonded is False and not tells

    @property
    def payload_bytes(self) -> int:
        """Bytes that one write of a plan carries."""
        if self._lost.is_set():
            raise LinkError("the link was lost")
        if self._payload_bytes is None:
            raise LinkError("the device has no plan characteristic: it is no wavewrap wrap")
        return self._payload_bytes

    async def _bounded(self, what: str, call: Awaitable[T]) -> T:
        """``call`` raced against the loss of the link and the time limit."""
        work = asyncio.ensure_future(call)
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({work, lost}, timeout=GATT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                result = work.result()
                self._may_want_pairing = False
                return result
            if not self._lost.is_set():
                self._lost.set()
                raise self._lost_link(f"{what} took more than {GATT_TIMEOUT_S:g} s: the link is closed and made anew")
            raise self._lost_link(f"{what}: the link was lost")
        except FAILURES as cause:
            if _wants_pairing(cause):
                raise NotPairedError(
                    f"{self.client.address} serves only gateways that it is paired with: open its pairing window and run 'wavewrap pair'"
                ) from cause
            raise self._lost_link(f"{what} failed: {say(cause)}") from cause
        finally:
            lost.cancel()
            if not work.done():
                work.cancel()

    def _lost_link(self, text: str) -> LinkError:
        if self._may_want_pairing:
            return PairingWantedError(f"{text} (if the wrap has a pairing button, run 'wavewrap pair')")
        return LinkError(text)

    async def read(self, uuid: str) -> bytes:
        """Value of a characteristic."""
        return bytes(await self._bounded(f"reading {uuid}", self.client.read_gatt_char(uuid)))

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None:
        """Write a characteristic."""
        await self._bounded(f"writing {uuid}", self.client.write_gatt_char(uuid, data, response=response))

    async def subscribe(self, uuid: str, receive: Callable[[bytes], None]) -> None:
        """Have ``receive`` called with every notification or indication."""
        await self._bounded(f"subscribing to {uuid}", self.client.start_notify(uuid, lambda _characteristic, data: receive(bytes(data))))

    async def wait_lost(self) -> None:
        """Return when the link is gone."""
        await self._lost.wait()

    async def disconnect(self) -> None:
        """Close the link; bounded, and quiet on one that is gone."""
        try:
            async with asyncio.timeout(GATT_TIMEOUT_S):
                await self.client.disconnect()
        except FAILURES:
            # Already gone, which is what was asked for.
            self._lost.set()


def _wants_pairing(cause: BaseException) -> bool:
    """Whether the link is worth too little for what was asked of it."""
    if isinstance(cause, BleakGATTProtocolError):
        return cause.code in _TOO_LITTLE_SECURITY
    return isinstance(cause, BleakDBusError) and (cause.dbus_error, cause.dbus_error_details) == _BLUEZ_NOT_PAIRED


def say(cause: BaseException) -> str:
    """The text of ``cause``: bleak's errors and the system's carry a code before it, one of them behind it, some carry nothing."""
    if isinstance(cause, BleakBluetoothNotAvailableError):
        return str(cause.args[0])
    return str(cause.args[-1]) if cause.args else type(cause).__name__
