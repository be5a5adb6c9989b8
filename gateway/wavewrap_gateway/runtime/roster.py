"""Finds wraps and brings their links up."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from wavewrap_gateway.core.link_state import Lost, RadioDown, Ready, link_word
from wavewrap_gateway.runtime.ports import Radio, Sighting
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_link import LinkChanged, LinkEvent
from wavewrap_protocol.errors import LinkError

__all__ = ["find_wraps", "linked"]

SCAN_S = 10.0

READY_S = 45.0
"""Longest wait for all links. Choice: two connects of 12 s that failed, after which it is known whether a bond was lost, and a third."""


async def find_wraps(radio: Radio, wanted: int, addresses: Sequence[str] = (), known: Collection[str] = ()) -> list[Sighting]:
    """``wanted`` wraps on the air, those at the ``known`` addresses first, then the nearest; or those with ``addresses``.

    Raises :class:`LinkError` when there are fewer.
    """

    def chosen(seen: list[Sighting]) -> list[Sighting]:
        if addresses:
            return [one for one in seen if one.address in addresses]
        return sorted(seen, key=lambda one: (one.address not in known, -one.rssi_dbm))[:wanted]

    count = len(addresses) or wanted
    own = 0 if addresses else min(count, len(known))

    def enough(seen: list[Sighting]) -> bool:
        """A stranger's wrap that is heard first is not taken for one's own that comes later."""
        taken = chosen(seen)
        return len(taken) >= count and sum(one.address in known for one in taken) >= own

    found = chosen(await radio.scan(SCAN_S, enough))
    if len(found) < count:
        raise LinkError(f"found {len(found)} of {count} wraps within {SCAN_S:g} s: switch them on and bring them near, or ask for fewer")
    return sorted(found, key=lambda one: (one.side, one.address))


@asynccontextmanager
async def linked(wraps: Sequence[Wrap]) -> AsyncIterator[None]:
    """Keeps the links of ``wraps`` up while the context is open; enters once all are ready. Raises :class:`LinkError`."""
    tasks = [asyncio.create_task(wrap.link.run()) for wrap in wraps]
    try:
        await _all_ready(wraps)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _all_ready(wraps: Sequence[Wrap]) -> None:
    losses: dict[Wrap, str] = {}

    def on_event(wrap: Wrap, event: LinkEvent) -> None:
        if isinstance(event, LinkChanged) and isinstance(event.state, Lost | RadioDown):
            losses[wrap] = event.state.reason

    forget = [wrap.listen(on_event) for wrap in wraps]
    try:
        async with asyncio.timeout(READY_S):
            await asyncio.gather(*(wrap.link.wait_ready() for wrap in wraps))
    except TimeoutError as cause:
        missing = [wrap for wrap in wraps if not isinstance(wrap.link.state, Ready)]
        reasons = ", ".join(f"{wrap.name}: {losses.get(wrap, link_word(wrap.link.state))}" for wrap in missing)
        raise LinkError(f"not every wrap was ready within {READY_S:g} s ({reasons}): bring them nearer") from cause
    finally:
        for stop_listening in forget:
            stop_listening()
