"""A bumble host on any HCI transport (simulator, dongle, serial), for bleak's API on top of it.

Not responsible for that API (:mod:`wavewrap_gateway.adapters.bumble_scanner`, :mod:`wavewrap_gateway.adapters.bumble_client`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason
from bumble import core, hci
from bumble.device import Connection as BumbleConnection
from bumble.device import Device
from bumble.host import Host
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport import open_transport
from bumble.transport.common import Transport

from wavewrap_gateway.adapters.bumble_errors import ControllerGoneError, as_bleak_errors
from wavewrap_gateway.adapters.bumble_keys import BumbleKeys
from wavewrap_gateway.runtime.ports import Passkey

__all__ = ["BumbleRadio", "Keypad"]

_ABANDON_S = 2.0
"""Longest wait for a controller to drop a connect that nobody wants any more. Choice: it answers within one advertising interval."""


class Keypad(PairingDelegate):
    """What a person types while they have a pairing open; without ``passkey`` nobody has, and every pairing is turned down."""

    def __init__(self, passkey: Passkey | None = None) -> None:
        super().__init__(
            PairingDelegate.KEYBOARD_INPUT_ONLY,
            # The address is static, so there is no identity to give away.
            local_initiator_key_distribution=PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY,
        )
        self._passkey = passkey
        self.asked = False
        self.broken_off: str | None = None

    async def accept(self) -> bool:
        """A wrap that starts a pairing by itself is turned down: pairing is what a person here asks for."""
        return False

    async def confirm(self, auto: bool = False) -> bool:
        """Just Works is refused: it proves nothing about the other side."""
        return False

    async def get_number(self) -> int | None:
        """What the person types, ``None`` to break it off."""
        if self._passkey is None:
            return None
        self.asked = True
        number = await self._passkey()
        if number is None:
            self.broken_off = "no passkey was given"
        elif number == 0:
            # bumble waits for ever on this one.
            self.broken_off, number = "000000 cannot be typed here: press its pairing button for another passkey", None
        return number


class BumbleRadio:
    """One HCI transport with a bumble host on it. ``open_transport`` turns ``transport_spec`` into the transport.

    ``keys`` are its bonds; without any it has none that outlive it.
    """

    def __init__(
        self,
        transport_spec: str,
        open_transport: Callable[[str], Awaitable[Transport]] = open_transport,
        keys: BumbleKeys | None = None,
    ) -> None:
        self._spec = transport_spec
        self._open_transport = open_transport
        self.keys = BumbleKeys(None, transport_spec) if keys is None else keys
        self._keypad = Keypad()
        self._transport: Transport | None = None
        self._device: Device | None = None
        self._connecting = asyncio.Lock()
        self.lost = asyncio.Event()

    async def open(self, timeout_s: float = 10.0) -> None:
        """Open the transport and reset the controller.

        Raises :class:`BleakBluetoothNotAvailableError`, :class:`ValueError` for a specification that cannot be read, and
        :class:`wavewrap_protocol.errors.UsageError` for a broken key file.
        """
        address = hci.Address(self.keys.own_address())
        await self.keys.get_all()
        try:
            async with asyncio.timeout(timeout_s):
                # A transport lets out whatever its library raises (usb1's errors and bumble's have no root in common).
                (transport,) = await asyncio.gather(self._open_transport(self._spec), return_exceptions=True)
                if isinstance(transport, ValueError):
                    raise ValueError(f"no transport can be read from it ({transport})") from transport
                if isinstance(transport, BaseException):
                    raise self._not_available(transport)
                self._transport = transport
                host = Host(transport.source, transport.sink)
                host.on("flush", self.lost.set)
                device = Device(name="wavewrap", address=address, host=host)
                device.keystore = self.keys
                device.pairing_config_factory = lambda _connection: PairingConfig(
                    sc=True, mitm=True, bonding=True, delegate=self._keypad, identity_address_type=PairingConfig.AddressType.RANDOM
                )
                await device.power_on()
        except (OSError, core.BaseBumbleError, hci.HCI_Error) as cause:
            await self.close()
            raise self._not_available(cause) from cause
        self._device = device

    def _not_available(self, cause: BaseException) -> BleakBluetoothNotAvailableError:
        detail = "no answer in time" if isinstance(cause, TimeoutError) else str(cause) or type(cause).__name__
        return BleakBluetoothNotAvailableError(f"no controller at {self._spec}: {detail}", BleakBluetoothNotAvailableReason.NO_BLUETOOTH)

    @property
    def device(self) -> Device:
        """The bumble device. Raises :class:`ControllerGoneError` when the radio is not open or its transport is gone."""
        if self._device is None or self.lost.is_set():
            raise ControllerGoneError(f"the controller at {self._spec} is gone")
        return self._device

    @contextmanager
    def pairing(self, passkey: Passkey) -> Iterator[Keypad]:
        """While the context is open a pairing of ours asks ``passkey``."""
        self._keypad = Keypad(passkey)
        try:
            yield self._keypad
        finally:
            self._keypad = Keypad()

    async def connect(self, address: str, timeout_s: float) -> BumbleConnection:
        """An LE connection; one attempt at a time, as a controller has only one initiator.

        Raises bumble's errors, and :class:`ControllerGoneError`.
        """
        async with self._connecting:
            device = self.device
            attempt = asyncio.ensure_future(
                device.connect(hci.Address(address), transport=core.PhysicalTransport.LE, timeout=timeout_s, always_resolve=False)
            )
            lost = asyncio.ensure_future(self.lost.wait())
            try:
                await asyncio.wait({attempt, lost}, return_when=asyncio.FIRST_COMPLETED)
                if lost.done():
                    raise ControllerGoneError(f"the controller at {self._spec} is gone")
                return attempt.result()
            finally:
                lost.cancel()
                if not attempt.done():
                    await self._abandon(device, attempt)

    async def _abandon(self, device: Device, attempt: asyncio.Task[BumbleConnection]) -> None:
        """End ``attempt``. Left alone, the controller would go on trying and refuse every later connect."""
        if not self.lost.is_set():
            cancelling = asyncio.ensure_future(device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command()))
            await asyncio.wait({attempt}, timeout=_ABANDON_S)
            cancelling.cancel()
            # Refused when the connect has just come through; its outcome is looked at below.
            await asyncio.gather(cancelling, return_exceptions=True)
        attempt.cancel()
        (outcome,) = await asyncio.gather(attempt, return_exceptions=True)
        if isinstance(outcome, BumbleConnection):
            with as_bleak_errors():
                await outcome.disconnect()

    async def revive(self) -> None:
        """A new transport in the place of one that is gone, and nothing otherwise. Raises as :meth:`open` does."""
        if not self.lost.is_set():
            return
        await self.close()
        # A new event: what is left of the old transport must not end the new one.
        self.lost = asyncio.Event()
        self._device = None
        try:
            await self.open()
        except BaseException:
            self.lost.set()
            await self.close()
            raise

    async def close(self) -> None:
        """Close the transport. Never raises for one that is already gone."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()
