"""Sessions of short programs on the wraps of a link rig. Imports neither simulator nor bumble: the guest of the BlueZ rig is slow."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random

from tests.support.link_rig import LinkRig
from wavewrap_gateway.adapters.program_files import load_program
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.program import PROGRAM, Program
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_gateway.runtime.link_events import LinkChanged, LinkEvent
from wavewrap_gateway.runtime.pairing import pair_wrap
from wavewrap_gateway.runtime.ports import Passkey, Sighting
from wavewrap_gateway.runtime.roster import find_wraps, linked
from wavewrap_gateway.runtime.session_runner import Outcome, SessionRunner
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol.payloads import MqttCounts, SessionSummary

__all__ = ["LinkedWraps", "linked_wraps", "pair_all", "short_program", "sight", "typed", "until"]

CYCLE_S = 9.0
"""One cycle of the short program; 3 s into it two chambers have held for a second."""


def typed(passkey: int | None) -> Passkey:
    """Somebody who types this."""

    async def ask() -> int | None:
        return passkey

    return ask


async def sight(rig: LinkRig, wrap: int = 0) -> Sighting:
    """A wrap as it advertises now."""
    (sighting,) = await find_wraps(rig.radio, 1, [rig.wraps[wrap].address])
    return sighting


async def pair_all(rig: LinkRig) -> None:
    """Every wrap that is not paired yet."""
    for index, wrap in enumerate(rig.wraps):
        if not await rig.radio.is_bonded(wrap.address):
            passkey = await rig.press_pairing_button(index)
            await pair_wrap(rig.radio, await sight(rig, index), typed(passkey))


async def until(holds: Callable[[], bool], patience_s: float, what: str) -> float:
    """Look every 50 ms; the seconds that it took. Fails after ``patience_s``."""
    clock = asyncio.get_running_loop().time
    begun_s = clock()
    while not holds():  # what a case waits for has no event of its own
        assert clock() - begun_s < patience_s, f"no {what} within {patience_s:g} s"
        await asyncio.sleep(0.05)
    return clock() - begun_s


def short_program(hold_s: float = 1.0) -> Program:
    """Two chambers in turn to 40 mmHg; a cycle of 9 s with a hold of 1 s."""
    return PROGRAM.validate_python(
        {
            "name": "short",
            "title": "Short",
            "description": "",
            "duration_min": 10,
            "pattern": "isolation",
            "chambers": [1, 3],
            "pressure_mmhg": 40,
            "inflate_s": 2,
            "hold_s": hold_s,
            "release_s": 2,
            "rest_s": 2,
        }
    )


class LinkedWraps:
    """Every wrap of a rig with its link up, and what the links have told, in order, by wrap."""

    def __init__(self, wraps: Sequence[Wrap]) -> None:
        self.wraps = wraps
        self.told: list[list[LinkEvent]] = [[] for _ in wraps]
        for wrap, told in zip(wraps, self.told, strict=True):
            wrap.listen(lambda _wrap, event, told=told: told.append(event) if isinstance(event, LinkChanged) else None)  # type: ignore[misc]

    def prepare(self, program: Program | str, duration_s: float) -> SessionRunner:
        """A session on all of them, as the gateway prepares it."""
        clock = asyncio.get_running_loop().time
        runs: list[WrapRun] = []
        name = ""
        for wrap in self.wraps:
            capabilities = wrap.link.capabilities
            assert capabilities is not None
            made = load_program(program, capabilities.chambers) if isinstance(program, str) else program
            name = made.name
            runs.append(WrapRun(wrap, compile_wave(made, wrap.side, capabilities.chambers, duration_s), 0xBEEF, 80.0, clock))
        return SessionRunner(name, runs, clock, Lateness())

    @staticmethod
    def summarise(runner: SessionRunner, outcome: Outcome) -> SessionSummary:
        """The record of a session that published nothing."""
        return runner.summary(outcome, MqttCounts(published=0, acknowledged=0, dropped=0))


@asynccontextmanager
async def linked_wraps(rig: LinkRig) -> AsyncIterator[LinkedWraps]:
    """Every wrap paired and linked as the gateway does it."""
    await pair_all(rig)
    clock = asyncio.get_running_loop().time
    addresses = [wrap.address for wrap in rig.wraps]
    sightings = {one.address: one for one in await find_wraps(rig.radio, len(addresses), addresses)}
    wraps = [Wrap(rig.radio, sightings[address], clock, Random(address)) for address in addresses]
    made = LinkedWraps(wraps)
    async with linked(wraps):
        yield made
