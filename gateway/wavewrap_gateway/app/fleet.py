"""The wraps of the daemon: what is on file of them and the links that are held to them, kept in agreement.

The file is the command line's as well: it is read anew before each change of ours and looked at every few seconds.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from wavewrap_gateway.adapters.ble import BleakRadio, forget_bond
from wavewrap_gateway.adapters.private_files import read_text_if_there, replace_file
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.app.known_wraps import KnownWrap, load_known_wraps
from wavewrap_gateway.core.link_state import Ready
from wavewrap_gateway.runtime.bridge import Bridge
from wavewrap_gateway.runtime.pairing_steps import Paired
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_keeper import Held, WrapKeeper
from wavewrap_protocol.errors import LinkError, UsageError
from wavewrap_protocol.payloads import WrapId

__all__ = ["Fleet"]

LOOK_S = 2.0
"""How often the file is looked at. Choice: a rename on the command line is seen before one has looked up."""

_CALLED: TypeAdapter[dict[str, WrapId]] = TypeAdapter(dict[str, WrapId])

_log = logging.getLogger(__name__)


class Fleet:
    """``names`` is the mapping that ``keeper`` and its wraps read. ``on_gone`` gets the name of a wrap that is no longer called so, and its
    serial number where the wrap is forgotten."""

    def __init__(self, config: GatewayConfig, radio: BleakRadio, keeper: WrapKeeper, bridge: Bridge, names: dict[str, str]) -> None:
        self._config = config
        self._radio = radio
        self._keeper = keeper
        self._bridge = bridge
        self._names = names
        self._file = load_known_wraps(config.known_wraps)
        self._changing = asyncio.Lock()
        self._stamp = _stamp(config.known_wraps)
        self._announced = config.known_wraps.with_name("announced.json")
        self.on_gone: Callable[[str, str | None], Awaitable[None]] = _nobody
        self._called = self._read_announced()

    @property
    def known(self) -> tuple[KnownWrap, ...]:
        """Those paired on this gateway's radio."""
        return tuple(wrap for wrap in self._file.wraps if wrap.radio == self._config.radio)

    def name_of(self, known: KnownWrap) -> str:
        """What it is called in topics."""
        return self._config.names.get(known.serial, known.topic)

    def name_at(self, address: str) -> str | None:
        """What the wrap at ``address`` is called, where it is known."""
        found = self._file.at(self._config.radio, address)
        return None if found is None else self.name_of(found)

    def find(self, text: str) -> KnownWrap:
        """The wrap that ``text`` means: name, serial number or address. Raises :class:`UsageError`."""
        for known in self.known:
            if text.lower() == self.name_of(known) or known.answers_to(text):
                return known
        return self._file.find(text)

    def address_of(self, text: str) -> str:
        """Of a known wrap; ``text`` itself where none is meant."""
        try:
            return self.find(text).address
        except UsageError:
            return text

    def linked(self) -> list[Wrap]:
        """Every wrap that has been seen."""
        return [wrap for known in self.known if (wrap := self._keeper.wrap(known.serial)) is not None]

    def linked_or_none(self, text: str) -> Wrap | None:
        """The wrap that ``text`` means, where it is known and has been seen."""
        try:
            return self._keeper.wrap(self.find(text).serial)
        except UsageError:
            return None

    def ready(self, text: str) -> Wrap:
        """The wrap that ``text`` means, its link being up. Raises :class:`UsageError` or :class:`LinkError`."""
        return self._keeper.ready(self.find(text).serial)

    def all_ready(self) -> list[Wrap]:
        """Every wrap whose link is up."""
        found = []
        for known in self.known:
            wrap = self._keeper.wrap(known.serial)
            if wrap is not None and isinstance(wrap.link.state, Ready):
                found.append(self._keeper.ready(known.serial))
        return found

    def describe(self, known: KnownWrap) -> str:
        """Where its link is."""
        return self._keeper.describe(known.serial)

    # Changes.

    def check_name(self, name: str, text: str | None) -> None:
        """Raises :class:`UsageError` when the wrap that ``text`` means, or a new one, may not be called ``name``."""
        try:
            serial = "" if text is None else self.find(text).serial
        except UsageError:
            serial = ""
        self._file.check_name(name, serial, self._config.names)

    async def add(self, paired: Paired) -> KnownWrap:
        """Remember a wrap that has been paired, under the name that was asked for, or its old one."""
        async with self._changing:
            return await self._add(paired)

    async def _add(self, paired: Paired) -> KnownWrap:
        identity = paired.identity
        self._file = load_known_wraps(self._config.known_wraps)
        before = next((one.name for one in self._file.wraps if one.serial == identity.serial), None)
        wrap = KnownWrap(
            serial=identity.serial,
            side=identity.side,
            model=identity.model,
            name=before if paired.name is None else paired.name,
            address=paired.sighting.address,
            radio=self._config.radio,
            paired_at=datetime.now(UTC).replace(microsecond=0),
        )
        await self._release(wrap.serial)  # it may have been held at another address
        self._file.add(wrap)
        await self._follow_file()
        return wrap

    async def rename(self, text: str, name: str) -> KnownWrap:
        """Call a wrap something else. Raises :class:`UsageError`."""
        async with self._changing:
            return await self._rename(text, name)

    async def _rename(self, text: str, name: str) -> KnownWrap:
        self._file = load_known_wraps(self._config.known_wraps)
        known = self.find(text)
        if known.serial in self._config.names:
            raise UsageError(f"{known.serial} is named by the table [names] of the configuration: change it there")
        self._file.check_name(name, known.serial, self._config.names)
        self._file.rename(known, name)
        await self._follow_file()
        return self.find(name)

    async def forget(self, text: str) -> None:
        """Remove the bond with a wrap, and know it no longer. Raises :class:`UsageError` or :class:`LinkError`."""
        async with self._changing:
            await self._forget(text)

    async def _forget(self, text: str) -> None:
        self._file = load_known_wraps(self._config.known_wraps)
        known = self.find(text)
        await self._release(known.serial)
        if known.radio != self._config.radio:
            await forget_bond(known.radio, self._config.bumble_keys, known.address)
        elif await self._radio.is_bonded(known.address):
            await self._radio.forget(known.address)
        self._file.remove(known)
        await self._follow_file()

    async def release_at(self, address: str) -> None:
        """Close the link to the wrap at ``address``, if it is known."""
        found = self._file.at(self._config.radio, address)
        if found is not None:
            await self._release(found.serial)

    async def _release(self, serial: str) -> None:
        wrap = await self._keeper.release(serial)
        if wrap is not None:
            self._bridge.remove(wrap)

    async def keep_following(self, may_change: Callable[[], bool]) -> None:
        """See what others wrote and write into the file, until cancelled; not while ``may_change`` says no, as in a session."""
        async with self._changing:
            # What was renamed or forgotten while no daemon ran is still called as it was on the broker.
            await self._follow_file()
        while True:
            await asyncio.sleep(LOOK_S)
            async with self._changing:
                if _stamp(self._config.known_wraps) == self._stamp or not may_change():
                    continue
                try:
                    self._file = load_known_wraps(self._config.known_wraps)
                except UsageError as cause:
                    self._stamp = _stamp(self._config.known_wraps)
                    _log.error("%s", cause)
                    continue
                await self._follow_file()

    async def _follow_file(self) -> None:
        """Have links, names and topics follow what is on file now."""
        called = dict(self._called)
        self._agree()
        for serial, old in called.items():
            if serial not in self._called:
                await self._release(serial)
            if self._called.get(serial) != old:
                self._bridge.rename(old)
                await self.on_gone(old, None if serial in self._called else serial)

    def _agree(self) -> None:
        self._stamp = _stamp(self._config.known_wraps)
        self._names.clear()
        self._names.update(self._file.names(self._config.names))
        called = {known.serial: self.name_of(known) for known in self.known}
        if called != self._called or not self._announced.exists():
            self._called = called
            try:
                replace_file(self._announced, _CALLED.dump_json(called, indent=2).decode() + "\n")
            except UsageError as cause:
                _log.warning("old names may stay on the broker: %s", cause)
        self._keeper.hold(Held(known.serial, known.address) for known in self.known)

    def _read_announced(self) -> dict[str, str]:
        """What the wraps were called when this was last written, by serial number. Raises :class:`UsageError` for a broken file."""
        text = read_text_if_there(self._announced)
        try:
            return {} if text is None else _CALLED.validate_json(text)
        except ValidationError:
            raise UsageError(f"{self._announced}: cannot be read: remove it; old names may then stay on the broker") from None


def _stamp(path: Path) -> tuple[int, int] | None:
    """Changes when the file is replaced or written."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    except OSError as cause:
        raise LinkError(f"{path}: cannot be looked at ({cause.strerror}): repair its folder's rights") from cause
    return (state.st_mtime_ns, state.st_ino)


async def _nobody(_name: str, _serial: str | None) -> None:
    """Nobody wants to know."""
