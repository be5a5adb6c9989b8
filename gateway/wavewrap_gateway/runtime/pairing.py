"""Pairing one wrap: bond, prove on a new link that the bond opens what it must, and learn who the wrap is.

Not responsible for the passkey's way to the wrap (:mod:`wavewrap_gateway.runtime.ports`), nor for remembering the wrap.
"""

import asyncio
import logging

from wavewrap_gateway.runtime.link_events import WrapIdentity
from wavewrap_gateway.runtime.ports import BondLostError, NotPairedError, Passkey, Radio, Sighting
from wavewrap_protocol import uuids
from wavewrap_protocol.errors import LinkError

__all__ = ["PAIR_S", "find_pairing", "pair_wrap"]

PAIR_S = 60.0
"""Longest wait for a person and the wrap. Choice: the passkey is on the display before anybody is asked; a stack may give up sooner."""

SCAN_S = 10.0
LOOK_S = 3.0
"""Choice: at 100 to 1000 ms between advertisements a wrap whose window is open is heard within this."""

CONNECT_S = 20.0
PROOFS_MAX = 2
"""Choice: one connect may fail on a busy radio."""

_log = logging.getLogger(__name__)


async def find_pairing(radio: Radio, patience_s: float, address: str | None = None) -> list[Sighting]:
    """Wraps whose pairing window is open, nearest first, waiting up to ``patience_s`` for one. Raises :class:`LinkError`."""

    def chosen(seen: list[Sighting]) -> list[Sighting]:
        return [one for one in seen if one.pairing_window and address in (None, one.address)]

    deadline_s = asyncio.get_running_loop().time() + patience_s
    while True:
        left_s = deadline_s - asyncio.get_running_loop().time()
        # Only who is named may end the scan early: another one may be pairing, too.
        found = chosen(await radio.scan(max(min(LOOK_S, left_s), 0.1), None if address is None else lambda seen: bool(chosen(seen))))
        if found:
            return sorted(found, key=lambda one: -one.rssi_dbm)
        if asyncio.get_running_loop().time() >= deadline_s:
            whose = "no wrap" if address is None else address
            raise LinkError(f"{whose} had its pairing window open within {patience_s:g} s: press the wrap's pairing button, then try again")


async def pair_wrap(radio: Radio, sighting: Sighting, passkey: Passkey, timeout_s: float = PAIR_S) -> WrapIdentity:
    """Bond with the wrap of ``sighting``, in the place of an older bond. Raises :class:`LinkError`; no bond is left then.

    Only for a person who asked for it: a stranger's device could pretend to be a wrap that has forgotten its bond.
    """
    if await radio.is_bonded(sighting.address):
        await radio.forget(sighting.address)
        sighting = await _find(radio, sighting.address)
    await radio.pair(sighting, passkey, timeout_s)
    try:
        return await _prove(radio, sighting.address)
    except (LinkError, asyncio.CancelledError):
        await _undo(radio, sighting.address)
        raise


async def _prove(radio: Radio, address: str) -> WrapIdentity:
    """Subscribe to what needs an authenticated key (nothing that does can be read), on a link that was encrypted with the bond's."""
    attempt = 0
    while True:
        attempt += 1
        sighting = await _find(radio, address)
        try:
            connection = await radio.connect(sighting, CONNECT_S)
            try:
                await connection.subscribe(uuids.CONTROL, lambda _data: None)
                facts = [
                    (await connection.read(uuid)).decode("utf-8", errors="replace")
                    for uuid in (uuids.SERIAL_NUMBER, uuids.MODEL_NUMBER, uuids.FIRMWARE_REVISION)
                ]
                return WrapIdentity(facts[0], facts[1], facts[2], sighting.side)
            finally:
                await connection.disconnect()
        except (NotPairedError, BondLostError):
            raise
        except LinkError as cause:
            if attempt >= PROOFS_MAX:
                raise
            _log.info("pairing %s: once more: %s", address, cause)


async def _find(radio: Radio, address: str) -> Sighting:
    seen = await radio.scan(SCAN_S, lambda seen: any(one.address == address for one in seen))
    for one in seen:
        if one.address == address:
            return one
    raise LinkError(f"{address} went out of reach while it was paired: bring it nearer and try again")


async def _undo(radio: Radio, address: str) -> None:
    try:
        await radio.forget(address)
    except LinkError as cause:
        _log.warning("%s", cause)
