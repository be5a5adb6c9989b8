"""A gateway that was away: the next run of it asks the wraps for what they sampled meanwhile. Virtual time, the whole radio."""

import asyncio
from dataclasses import dataclass
from random import Random

from tests.support.virtual_air import CuttableAir
from tests.support.virtual_wraps import on_the_air, open_gateway_radio

from wavewrap_gateway.core.telemetry import SampleRuns
from wavewrap_gateway.runtime.recall import Recall
from wavewrap_gateway.runtime.roster import find_wraps, linked
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_link import FrameArrived, LinkEvent
from wavewrap_protocol.limits import RING_S, SAMPLE_PERIOD_MS
from wavewrap_sim.virtual_time import run_virtual

PER_S = 1000 // SAMPLE_PERIOD_MS


@dataclass
class Run:
    """What one run of a gateway heard of a wrap."""

    name: str
    boot_id: int
    runs: list[tuple[int, int]]
    missing: int
    span: tuple[int, int]


async def two_runs(away_s: float) -> tuple[Run, Run]:
    """Listen for some seconds, go for ``away_s``, come back with the memory of the first run."""
    async with on_the_air(1) as (air, _):
        first = await listen(air, {}, 5.0)
        await asyncio.sleep(away_s)
        return first, await listen(air, {(first.name, first.boot_id): first.runs}, 12.0)


async def listen(air: CuttableAir, memory: dict[tuple[str, int], list[tuple[int, int]]], for_s: float) -> Run:
    """One run of a gateway with a memory of its last one."""
    heard = SampleRuns()

    def note(_wrap: Wrap, event: LinkEvent) -> None:
        if isinstance(event, FrameArrived):
            heard.add(event.frame.seq, event.frame.seq + len(event.frame.samples_cmmhg) - 1)

    async with open_gateway_radio(air) as gateway:
        (sighting,) = await find_wraps(gateway.radio, 1)
        wrap = Wrap(gateway.radio, sighting, asyncio.get_running_loop().time, Random(1))
        wrap.listen(note)
        async with linked([wrap]):
            recalling = asyncio.create_task(Recall(lambda: [wrap], memory).run())
            await asyncio.sleep(for_s)
            recalling.cancel()
            await asyncio.gather(recalling, return_exceptions=True)
            ledger = wrap.link.samples
            return Run(wrap.name, wrap.link.clock_sync.boot_id, heard.runs(), ledger.counts().missing, ledger.span)


def test_what_came_while_no_gateway_ran_is_asked_for() -> None:
    first, second = run_virtual(two_runs(20.0))
    begun = first.runs[0][0]
    assert second.span[0] == begun
    assert second.missing == 0
    all_of_it = SampleRuns([*first.runs])
    for run in second.runs:
        all_of_it.add(*run)
    assert all_of_it.runs() == [(begun, second.span[1] - 1)]
    assert second.runs[0][0] == first.runs[-1][1] + 1  # and nothing twice


def test_what_the_ring_has_forgotten_stays_missing_and_is_not_asked_for_for_ever() -> None:
    first, second = run_virtual(two_runs(RING_S + 20.0))
    assert second.span[0] == first.runs[0][0]
    assert 18 * PER_S < second.missing < 30 * PER_S
    came = {number for begin, end in [*first.runs, *second.runs] for number in range(begin, end + 1)}
    assert len(came) + second.missing == second.span[1] - second.span[0]
