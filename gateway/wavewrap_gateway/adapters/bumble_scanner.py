"""bleak's scanner on a bumble host: given to bleak as ``backend=``, with the open radio as the extra keyword ``radio``."""

import asyncio
from uuid import UUID

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bumble import core
from bumble.device import Advertisement, Device

from wavewrap_gateway.adapters.bumble_errors import as_bleak_errors, to_its_end
from wavewrap_gateway.adapters.bumble_radio import BumbleRadio

__all__ = ["BumbleScanner", "spelled"]


class BumbleScanner(BaseBleakScanner):
    """bleak's scanner on a :class:`BumbleRadio`."""

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        *,
        radio: BumbleRadio,
        **_other_platforms: object,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._radio = radio
        self._active = scanning_mode == "active"

    async def start(self) -> None:
        """Start scanning. Raises :class:`BleakError`."""
        self.seen_devices = {}
        with as_bleak_errors():
            device = self._radio.device
            device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
            starting = asyncio.ensure_future(device.start_scanning(active=self._active))
            try:
                await to_its_end(starting)
            except BaseException as cause:
                device.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
                if isinstance(cause, asyncio.CancelledError) and not self._radio.lost.is_set():
                    await asyncio.wait({starting})
                    await device.stop_scanning()
                raise

    async def stop(self) -> None:
        """Stop scanning. Raises :class:`BleakError`."""
        with as_bleak_errors():
            device = self._radio.device
            device.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
            await to_its_end(device.stop_scanning())

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        data = advertisement.data
        kinds = core.AdvertisingData.Type
        uuids = [
            spelled(uuid)
            for kind in (
                kinds.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
                kinds.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
            )
            for found in data.get_all(kind)
            for uuid in found
        ]
        makers = {int(company): bytes(content) for company, content in data.get_all(kinds.MANUFACTURER_SPECIFIC_DATA)}
        name = data.get(kinds.COMPLETE_LOCAL_NAME) or data.get(kinds.SHORTENED_LOCAL_NAME)
        seen = AdvertisementData(
            local_name=name,
            manufacturer_data=makers,
            service_data={},
            service_uuids=uuids,
            tx_power=None,
            rssi=advertisement.rssi,
            platform_data=(advertisement,),
        )
        if not self.is_allowed_uuid(seen.service_uuids):
            return
        address = str(advertisement.address).split("/")[0]
        device = self.create_or_update_device(address, address, seen.local_name, advertisement.address, seen)
        self.call_detection_callbacks(device, seen)


def spelled(uuid: core.UUID) -> str:
    """``uuid`` at full length in bleak's spelling; bumble keeps the bytes in wire order."""
    return str(UUID(bytes=bytes(reversed(uuid.uuid_128_bytes))))
