"""Wraps for a command that asks or tells them something and goes: found, linked, let go."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from wavewrap_gateway.adapters.ble import open_radio
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.app.known_wraps import load_known_wraps
from wavewrap_gateway.runtime.roster import find_wraps, linked
from wavewrap_gateway.runtime.wrap import Wrap

__all__ = ["WRAPS_MAX", "visit_wraps"]

WRAPS_MAX = 8


@asynccontextmanager
async def visit_wraps(chosen: GatewayConfig, wanted: int, addresses: Sequence[str]) -> AsyncIterator[list[Wrap]]:
    """``wanted`` wraps, nearest first, or those with ``addresses`` or names; their links are up. Raises ``LinkError``."""
    loop = asyncio.get_running_loop()
    known = load_known_wraps(chosen.known_wraps)
    names = known.names(chosen.names)
    async with open_radio(chosen.radio, chosen.bumble_keys) as radio:
        sightings = await find_wraps(radio, wanted, known.resolve(addresses), known.addresses(chosen.radio))
        wraps = [Wrap(radio, sighting, loop.time, Random(), names) for sighting in sightings]
        async with linked(wraps):
            yield wraps
