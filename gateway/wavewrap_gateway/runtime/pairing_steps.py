"""A pairing whose two steps come apart: first the wrap is found and shows its digits, later a person sends them.

Not responsible for the pairing itself (:mod:`wavewrap_gateway.runtime.pairing`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from wavewrap_gateway.runtime.link_events import WrapIdentity
from wavewrap_gateway.runtime.pairing import find_pairing, pair_wrap
from wavewrap_gateway.runtime.ports import Radio, Sighting
from wavewrap_protocol.errors import LocalError, UsageError

__all__ = ["Paired", "PairingSteps"]


@dataclass(frozen=True, slots=True)
class Paired:
    """What came of it; ``name`` is what was asked for."""

    sighting: Sighting
    identity: WrapIdentity
    name: str | None


class PairingSteps:
    """One pairing at a time. ``make_way`` is called with the address before anything is sent there."""

    def __init__(self, radio: Radio, make_way: Callable[[str], Awaitable[None]]) -> None:
        self._radio = radio
        self._make_way = make_way
        self._work: asyncio.Task[Paired] | None = None
        self._passkey: asyncio.Future[int | None] | None = None
        self._address = ""

    @property
    def under_way(self) -> bool:
        """Whether the radio is a pairing's."""
        return self._work is not None and not self._work.done()

    async def begin(self, address: str | None, name: str | None, for_s: float) -> str | Paired:
        """Find a wrap whose window is open and begin. Returns its address once it shows its digits, ``Paired`` where a system asks.

        Raises :class:`wavewrap_protocol.errors.LinkError`, :class:`UsageError` when more than one is open, :class:`LocalError` while
        another pairing is under way.
        """
        if self.under_way:
            raise LocalError("a pairing is under way: send its passkey, or wait a minute until it is given up")
        asked = asyncio.Event()
        passkey: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._passkey = passkey

        async def ask() -> int | None:
            asked.set()
            return await passkey

        work = self._work = asyncio.create_task(self._pair(address, name, for_s, ask), name="pairing")
        waiting = asyncio.create_task(asked.wait())
        try:
            await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if work.done():
            return work.result()
        # One that nobody sends a passkey for ends by itself, and nobody asks how.
        work.add_done_callback(lambda done: done.cancelled() or done.exception())
        return self._address

    async def finish(self, passkey: str) -> Paired:
        """Hand over the digits. Raises :class:`wavewrap_protocol.errors.LinkError`, and :class:`LocalError` when none are waited for."""
        if self._work is None or self._passkey is None or not self.under_way or self._passkey.done():
            raise LocalError("no pairing waits for a passkey: press the wrap's pairing button and send pair without one first")
        self._passkey.set_result(int(passkey))
        return await asyncio.shield(self._work)

    async def close(self) -> None:
        """Give up what is under way; nothing of it is left."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _pair(self, address: str | None, name: str | None, for_s: float, ask: Callable[[], Awaitable[int | None]]) -> Paired:
        found = await find_pairing(self._radio, for_s, address)
        if len(found) > 1:
            raise UsageError(f"{len(found)} wraps have their pairing window open: name one, such as {found[0].address}")
        sighting = found[0]
        self._address = sighting.address
        await self._make_way(sighting.address)
        return Paired(sighting, await pair_wrap(self._radio, sighting, ask), name)
