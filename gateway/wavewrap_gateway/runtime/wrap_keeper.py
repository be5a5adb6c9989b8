"""Holds the links to known wraps for as long as the process lives: takes them up when they come in reach, again after every loss.

While a session plays nobody is searched for: the radio is the session's. Not responsible for one link's life
(:mod:`wavewrap_gateway.runtime.wrap_link`), nor for which wraps are known.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random

from wavewrap_gateway.core.link_state import BondLost, Failed, Lost, Ready, link_word
from wavewrap_gateway.runtime.ports import Radio, Sighting
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_protocol.errors import LinkError

__all__ = ["Held", "WrapKeeper"]

LOOK_S = 3.0
"""One look around. Choice: at 100 to 1000 ms between advertisements a wrap that is on is heard within this."""

REST_S = 5.0
"""Between two looks. Choice: a wrap that is switched on is there before its owner has put it on, and the radio rests most of the time."""

RETRY_S = 60.0
"""After a link has failed for good (another protocol, not paired). Choice: a person mends that, and minutes do not matter."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A wrap to be held: who it is, and where it was last seen."""

    serial: str
    address: str


class WrapKeeper:
    """``names`` gives topic names by serial number and may change; ``on_taken`` gets each wrap before its link is made."""

    def __init__(
        self,
        radio: Radio,
        clock: Callable[[], float],
        rng: Random,
        names: Mapping[str, str],
        may_search: Callable[[], bool],
        on_taken: Callable[[Wrap], None],
    ) -> None:
        self._radio = radio
        self._clock = clock
        self._rng = rng
        self._names = names
        self._may_search = may_search
        self._on_taken = on_taken
        self._held: dict[str, Held] = {}
        self._wraps: dict[str, Wrap] = {}
        self._links: dict[str, asyncio.Task[None]] = {}
        self._in_doubt = False
        self._changed = asyncio.Event()
        self._trouble = ""

    def hold(self, held: Iterable[Held]) -> None:
        """From now on hold these; :meth:`release` those that are not to be held any more."""
        self._held = {one.serial: one for one in held}
        self._changed.set()

    async def release(self, serial: str) -> Wrap | None:
        """Close the link of the wrap and forget it, until it is seen again if it is still to be held."""
        link = self._links.pop(serial, None)
        if link is not None:
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)
        return self._wraps.pop(serial, None)

    def wrap(self, serial: str) -> Wrap | None:
        """The wrap with that serial number, once it has been seen."""
        return self._wraps.get(serial)

    def ready(self, serial: str) -> Wrap:
        """The wrap with that serial number, its link being up. Raises :class:`LinkError`."""
        wrap = self._wraps.get(serial)
        if wrap is None or not isinstance(wrap.link.state, Ready):
            raise LinkError(f"{self._names.get(serial, serial)} is not ready ({self.describe(serial)}): switch it on and bring it near")
        if wrap.link.identity is None or wrap.link.identity.serial != serial:
            raise LinkError(f"{serial} is not what answers at its address: run 'wavewrap forget', then pair again")
        return wrap

    def describe(self, serial: str) -> str:
        """Where its link is, with the reason where it has failed."""
        wrap = self._wraps.get(serial)
        if wrap is None:
            return "not seen"
        state = wrap.link.state
        return state.reason if isinstance(state, Failed | BondLost | Lost) else link_word(state)

    async def run(self) -> None:
        """Hold them until cancelled; a radio that is down is tried until it works."""
        while True:
            self._changed.clear()
            missing = {one.address: one for one in self._held.values() if one.serial not in self._wraps}
            if (missing or self._in_doubt) and self._may_search():
                # A radio that is gone shows here, also when every wrap has been seen.
                self._in_doubt = False
                for sighting in await self._look(set(missing)):
                    one = missing[sighting.address]
                    if self._held.get(one.serial) == one and one.serial not in self._wraps:
                        self._take(one, sighting)
            try:
                async with asyncio.timeout(REST_S):
                    await self._changed.wait()
            except TimeoutError:
                pass  # look again

    async def close(self) -> None:
        """Close every link."""
        for serial in list(self._wraps):
            await self.release(serial)

    async def _look(self, addresses: set[str]) -> list[Sighting]:
        try:
            seen = await self._radio.scan(LOOK_S, lambda seen: addresses <= {one.address for one in seen})
        except LinkError as cause:
            if str(cause) != self._trouble:
                self._trouble = str(cause)
                _log.warning("looking for wraps: %s", cause)
            return []
        self._trouble = ""
        return [one for one in seen if one.address in addresses]

    def _take(self, held: Held, sighting: Sighting) -> None:
        wrap = Wrap(self._radio, sighting, self._clock, Random(self._rng.random()), self._names)
        self._wraps[held.serial] = wrap
        self._on_taken(wrap)
        self._links[held.serial] = asyncio.create_task(self._link(held, wrap), name=f"link-{held.serial}")

    async def _link(self, held: Held, wrap: Wrap) -> None:
        """A lost bond waits for a person, who pairs anew; whatever else ended the link is tried again."""
        while True:
            await wrap.link.run()
            _log.warning("%s: %s", held.serial, self.describe(held.serial))
            if isinstance(wrap.link.state, BondLost):
                return
            self._in_doubt = True
            self._changed.set()
            await asyncio.sleep(RETRY_S)
