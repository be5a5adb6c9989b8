"""Asks the wraps again for samples that are still missing: those that came while no gateway ran, and those that a replay did not bring.

The link itself asks at once for every gap that it sees (``wrap_link``); this is the second look at it. Not responsible for counting
(``core.telemetry``), nor for remembering what an earlier run of the gateway had (the outbox; ``late_samples`` for the history).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from wavewrap_gateway.core.link_state import Ready
from wavewrap_gateway.core.telemetry import Gap, SampleRuns
from wavewrap_gateway.runtime.late_samples import LateSamples
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_protocol.commands import Replay
from wavewrap_protocol.enums import Result
from wavewrap_protocol.errors import LinkError

__all__ = ["Recall"]

LOOK_S = 2.0
"""Choice: a replay of the whole ring takes longer, but brings something within this."""

REFUSALS = 3
"""So often refused, a gap is gone: a wrap also refuses while too much of what was asked for waits."""

_log = logging.getLogger(__name__)


class Recall:
    """``wraps`` are those to look after now; ``runs``, by name and boot of a wrap, the samples that an earlier run of the gateway had.

    ``late``: what records of sessions lack.
    """

    def __init__(
        self,
        wraps: Callable[[], Iterable[Wrap]],
        runs: Mapping[tuple[str, int], Sequence[tuple[int, int]]],
        late: LateSamples | None = None,
    ) -> None:
        self._wraps = wraps
        self._runs = dict(runs)
        self._late = late
        self._missing: dict[Wrap, int] = {}
        self._asked: dict[tuple[Wrap, int], SampleRuns] = {}
        """By wrap and its boot."""
        self._refused: Counter[Gap] = Counter()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if self._late is not None:
                self._late.follow(self._wraps())
            for wrap in self._wraps():
                if isinstance(wrap.link.state, Ready):
                    try:
                        await self._look(wrap)
                    except LinkError as cause:
                        _log.info("%s: %s", wrap.name, cause)  # the link comes back, and asks by itself
            await asyncio.sleep(LOOK_S)

    async def _look(self, wrap: Wrap) -> None:
        ledger, boot_id = wrap.link.samples, wrap.link.clock_sync.boot_id
        if ledger.epoch is None or ledger.epoch != boot_id & 0xFF:
            return
        runs = self._runs.pop((wrap.name, boot_id), None)
        recalled = ledger.recall(boot_id & 0xFF, runs) if runs else []
        late = [] if self._late is None else self._late.gaps(wrap)
        lacking = SampleRuns((gap.first, gap.last) for gap in [*ledger.gaps(), *late])
        missing = sum(last - first + 1 for first, last in lacking.runs())
        before, self._missing[wrap] = self._missing.get(wrap), missing
        asked = self._asked.setdefault((wrap, boot_id), SampleRuns())
        # For a gap that it sees the link has asked itself; for these nobody has.
        fresh = SampleRuns((gap.first, gap.last) for gap in [*recalled, *late])
        wanted = self._still_there(ledger.epoch, [run for first, last in fresh.runs() for run in asked.absent(first, last)])
        if not wanted and missing and before is not None and missing >= before:
            asked = self._asked[wrap, boot_id] = SampleRuns()
            wanted = self._still_there(ledger.epoch, lacking.runs())
        for gap in wanted:
            answer = await wrap.link.command(Replay(gap.epoch, gap.first, gap.last))
            _log.info("%s: samples %d to %d asked for again: %s", wrap.name, gap.first, gap.last, answer.result.name)
            if answer.result is Result.OK:
                asked.add(gap.first, gap.last)
            else:
                self._refused[gap] += 1

    def _still_there(self, epoch: int, runs: Iterable[tuple[int, int]]) -> list[Gap]:
        """As gaps, without what was refused too often."""
        gaps = [Gap(epoch, first, last) for first, last in runs]
        return [gap for gap in gaps if self._refused[gap] < REFUSALS]
