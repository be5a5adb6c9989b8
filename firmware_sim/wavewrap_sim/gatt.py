"""A simulated wrap as a bumble peripheral: advertising, GATT server, and the task that keeps the wrap in step with the clock.

Not responsible for what a write means (:mod:`wavewrap_sim.firmware`), for who may write (:mod:`wavewrap_sim.gatt_security`), nor for the
physics (:mod:`wavewrap_sim.pneumatics`).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable

from bumble import hci
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, Service
from bumble.host import Host

from wavewrap_protocol import __version__, uuids
from wavewrap_protocol.enums import AdvertisingFlag
from wavewrap_protocol.limits import ATT_MTU_MIN
from wavewrap_protocol.payloads import Side
from wavewrap_sim.firmware import Outgoing
from wavewrap_sim.gatt_security import GattSecurity
from wavewrap_sim.log import PairingEntry
from wavewrap_sim.pairing_window import PairingWindow, WrapPairing
from wavewrap_sim.wrap import SimulatedWrap

__all__ = ["WrapPeripheral"]

_ATT_HEADER_BYTES = 3
"""Opcode and handle of a notification or write (Bluetooth Core, Vol 3 Part F 3.4.7.1)."""

_ADVERTISING_INTERVAL_MS = 100.0
"""Choice: a scan of one second sees every wrap ten times."""

_INTERVAL_MS = 15.0
_SUPERVISION_MS = 4000.0
"""Choice: short enough that a command waits little, long enough to outlive a fade that the lease outlives."""

_log = logging.getLogger(__name__)

_WRITE = Characteristic.Properties.WRITE
_COMMAND = Characteristic.Properties.WRITE_WITHOUT_RESPONSE
_READ = Characteristic.Properties.READ
_NOTIFY = Characteristic.Properties.NOTIFY
_INDICATE = Characteristic.Properties.INDICATE

_WRAP_CHARACTERISTICS: dict[str, Characteristic.Properties] = {
    uuids.CAPABILITIES: _READ,
    uuids.CONTROL: _WRITE | _INDICATE,
    uuids.STOP: _WRITE | _COMMAND,
    uuids.PLAN: _WRITE,
    uuids.TIME: _COMMAND | _NOTIFY,
    uuids.TELEMETRY: _NOTIFY,
    uuids.REPORT: _INDICATE,
}


class WrapPeripheral:
    """One wrap on the air. ``clock`` gives host seconds, the same for every wrap of a process.

    With ``pairing`` the wrap asks for a paired link and has a pairing button; without it it serves everybody. ``lose_links`` is called when
    the wrap has started again: its controller forgets its links then; without it it hangs up.
    """

    def __init__(
        self,
        wrap: SimulatedWrap,
        host: Host,
        address: str,
        clock: Callable[[], float],
        pairing: WrapPairing | None = None,
        lose_links: Callable[[], None] | None = None,
    ) -> None:
        self._wrap = wrap
        self._clock = clock
        self._lose_links = self.hang_up if lose_links is None else lose_links
        self._boots = wrap.boots
        self._pairing = pairing
        self._window = None if pairing is None else PairingWindow(pairing.draw_passkey, pairing.window_s, self._on_window)
        self._characteristics: dict[str, Characteristic[bytes]] = {}
        self._device = Device(
            config=DeviceConfiguration(
                name=f"wavewrap {wrap.settings.board.model}",
                address=hci.Address(address),
                gap_service_enabled=False,
                gatt_service_enabled=False,
            ),
            host=host,
        )
        self._security = GattSecurity(self._window, None if pairing is None else pairing.bonds, self._tell)
        self._security.install(self._device)
        self._device.add_services(self._services())
        self._device.on(Device.EVENT_CONNECTION, self._on_connection)
        self._central: Connection | None = None
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asking: asyncio.Future[None] = self._gone
        self._notifications: asyncio.Queue[Outgoing] = asyncio.Queue()
        self._indications: asyncio.Queue[Outgoing] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._errands: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def _services(self) -> list[Service]:
        settings = self._wrap.settings
        identity = {
            uuids.MANUFACTURER_NAME: "wavewrap",
            uuids.MODEL_NUMBER: settings.board.model,
            uuids.SERIAL_NUMBER: settings.serial,
            uuids.HARDWARE_REVISION: "simulated",
            uuids.FIRMWARE_REVISION: __version__,
        }
        wrap = [self._wrap_characteristic(uuid, properties) for uuid, properties in _WRAP_CHARACTERISTICS.items()]
        battery = self._read_only(uuids.BATTERY_LEVEL, lambda: bytes((round(self._wrap.battery_pct),)))
        facts = [self._read_only(uuid, text.encode) for uuid, text in identity.items()]
        return [
            Service(UUID(uuids.SERVICE), wrap),
            Service(UUID(uuids.BATTERY_SERVICE), [battery]),
            Service(UUID(uuids.DEVICE_INFORMATION_SERVICE), facts),
        ]

    def _wrap_characteristic(self, uuid: str, properties: Characteristic.Properties) -> Characteristic[bytes]:
        def write(value: bytes) -> None:
            self._send(self._wrap.write(self._clock(), uuid, value))
            self._keep_time()

        made = self._security.make_characteristic(uuid, properties, lambda: self._wrap.read(self._clock(), uuid), write)
        self._characteristics[uuid] = made
        return made

    def _read_only(self, uuid: str, read: Callable[[], bytes]) -> Characteristic[bytes]:
        def write(_value: bytes) -> None:
            raise AssertionError(f"{uuid} let a write through")

        return self._security.make_characteristic(uuid, _READ, read, write)

    async def start(self) -> None:
        """Go on the air."""
        await self._device.power_on()
        name = AdvertisingData([(AdvertisingData.COMPLETE_LOCAL_NAME, self._device.name.encode())])
        await self._device.start_advertising(
            auto_restart=True,
            advertising_data=self._advertisement(),
            scan_response_data=bytes(name),
            advertising_interval_min=_ADVERTISING_INTERVAL_MS,
            advertising_interval_max=_ADVERTISING_INTERVAL_MS,
        )
        self._tasks = [asyncio.create_task(work()) for work in (self._notify, self._indicate)]
        self._keep_time()

    def _advertisement(self) -> bytes:
        flags = AdvertisingFlag.RIGHT_SIDE if self._wrap.settings.side is Side.RIGHT else AdvertisingFlag(0)
        if self.passkey is not None:
            flags |= AdvertisingFlag.PAIRING_WINDOW
        maker = uuids.ADVERTISED_COMPANY_ID.to_bytes(2, "little") + bytes((flags,)) + self._wrap.settings.board.model.encode()
        structures: list[tuple[int, bytes]] = [
            (AdvertisingData.FLAGS, bytes((0x06,))),
            (AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, bytes(UUID(uuids.SERVICE))),
            (AdvertisingData.MANUFACTURER_SPECIFIC_DATA, maker),
        ]
        return bytes(AdvertisingData(structures))

    @property
    def serial(self) -> str:
        """Whose radio this is."""
        return self._wrap.settings.serial

    @property
    def passkey(self) -> int | None:
        """What the display shows; ``None`` while the pairing window is closed, and on a wrap that serves everybody."""
        return None if self._window is None else self._window.passkey

    def press_pairing_button(self) -> None:
        """Open the pairing window with a new passkey; nothing on a wrap that serves everybody."""
        if self._window is not None:
            self._window.open()

    def forget_bonds(self) -> None:
        """Every gateway has to pair anew; the one that is linked is put off."""
        self._security.forget_bonds()
        self._tell("forgotten", None)
        if self._central is not None:
            self._run_errand(self._put_off(self._central))

    def hang_up(self) -> None:
        """End the link, if there is one: what a restart comes to on a controller that goes on."""
        if self._central is not None:
            self._run_errand(self._put_off(self._central))

    async def _put_off(self, central: Connection) -> None:
        try:
            await central.disconnect()
        except BaseBumbleError as cause:
            _log.info("%s: the link was gone already: %s", self._device.name, cause)

    def _on_window(self) -> None:
        self._tell("window_closed" if self.passkey is None else "window_open", None)
        self._run_errand(self._advertise_anew())

    async def _advertise_anew(self) -> None:
        """What is advertised has changed. A linked wrap advertises again when its link has ended."""
        self._device.advertising_data = self._advertisement()
        if self._device.legacy_advertising_set is not None:
            await self._device.legacy_advertising_set.set_advertising_data(self._device.advertising_data)
        elif self._device.legacy_advertiser is not None:
            await self._device.send_sync_command(hci.HCI_LE_Set_Advertising_Data_Command(advertising_data=self._device.advertising_data))

    def _run_errand(self, errand: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    def _tell(self, event: str, central: Connection | None) -> None:
        if self._pairing is not None:
            shown = "" if self.passkey is None or event != "window_open" else f"{self.passkey:06d}"
            whose = "" if central is None else str(central.peer_address).split("/")[0]
            self._pairing.tell(PairingEntry(self._wrap.settings.serial, self._clock(), event, shown, whose))

    async def run(self) -> None:
        """Until cancelled, or until one of the wrap's tasks fails."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Leave the air."""
        if self._timer is not None:
            self._timer.cancel()
        if self._window is not None:
            self._window.close()
        for task in (*self._tasks, *self._errands):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._errands, return_exceptions=True)
        await self._device.power_off()

    def reboot(self) -> None:
        """The wrap loses power for an instant, and its links with it."""
        self._wrap.reboot(self._clock())
        self._keep_time()

    def _keep_time(self) -> None:
        """Carry out what is due, send what that gave, and wake again in time; called by the timer and after every write."""
        self._send(self._wrap.advance(self._clock()))
        if self._wrap.boots != self._boots:
            self._boots = self._wrap.boots
            self._lose_links()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._wrap.next_wake_s(), self._keep_time)

    def _on_connection(self, connection: Connection) -> None:
        self._central = connection
        self._gone = asyncio.get_running_loop().create_future()
        self._security.watch(connection)
        connection.on(Connection.EVENT_CONNECTION_ATT_MTU_UPDATE, self._on_mtu)
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        self._wrap.connected(self._clock(), ATT_MTU_MIN - _ATT_HEADER_BYTES)
        self._asking = asyncio.create_task(self._ask_for_timing(connection))

    async def _ask_for_timing(self, connection: Connection) -> None:
        """Ask for 15 ms, no latency, 4 s: many systems start at 30 ms and 420 ms, and half a second of fade would drop the link."""
        try:
            await connection.update_parameters(_INTERVAL_MS, _INTERVAL_MS, 0, _SUPERVISION_MS, use_l2cap=True)
        except BaseBumbleError as cause:
            _log.info("%s keeps the central's connection parameters: %s", self._device.name, cause)

    def _on_mtu(self) -> None:
        if self._central is not None:
            self._wrap.connected(self._clock(), self._central.att_mtu - _ATT_HEADER_BYTES)

    def _on_disconnection(self, _reason: int) -> None:
        self._central = None
        self._asking.cancel()
        self._gone.set_result(None)
        for queue in (self._notifications, self._indications):
            while not queue.empty():
                queue.get_nowait()
        self._wrap.disconnected(self._clock())

    def _send(self, outgoing: Iterable[Outgoing]) -> None:
        for message in outgoing:
            indicated = _WRAP_CHARACTERISTICS[message.characteristic] & _INDICATE
            (self._indications if indicated else self._notifications).put_nowait(message)

    def _receiver_of(self, message: Outgoing) -> Connection | None:
        """Subscribing was under the rules, but a link can be paired anew, and worse."""
        central = self._central
        return central if central is not None and self._security.permits(central, message.characteristic) else None

    async def _notify(self) -> None:
        while True:
            message = await self._notifications.get()
            central = self._receiver_of(message)
            if central is not None:
                await self._device.notify_subscriber(central, self._characteristics[message.characteristic], message.data)

    async def _indicate(self) -> None:
        """One indication at a time, each confirmed before the next (Bluetooth Core, Vol 3 Part F 3.3.2)."""
        while True:
            message = await self._indications.get()
            central = self._receiver_of(message)
            if central is None:
                continue
            characteristic = self._characteristics[message.characteristic]
            confirmed = asyncio.ensure_future(self._device.indicate_subscriber(central, characteristic, message.data))
            await asyncio.wait({confirmed, self._gone}, return_when=asyncio.FIRST_COMPLETED)
            if not confirmed.done():
                confirmed.cancel()
            await asyncio.gather(confirmed, return_exceptions=True)
