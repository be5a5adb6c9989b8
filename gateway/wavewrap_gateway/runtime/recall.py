"""Asks the wraps again for samples that are still missing: those that came while no gateway ran, and those that a replay did not bring.

The link itself asks at once for every gap that it sees (``wrap_link``); this is the second look at it. Not responsible for counting
(``core.telemetry``), nor for remembering what an earlier run of the gateway had (the outbox; ``late_samples`` for the history).
"""

import asyncio
import logging
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
        self._gone: set[Gap] = set()

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
        lacking = SampleRuns()
        for gap in [*ledger.gaps(), *([] if self._late is None else self._late.gaps(wrap))]:
            lacking.add(gap.first, gap.last)
        missing = sum(last - first + 1 for first, last in lacking.runs())
        before, self._missing[wrap] = self._missing.get(wrap), missing
        if not recalled and (missing == 0 or before is None or missing < before):
            return
        for run in lacking.runs():
            gap = Gap(ledger.epoch, *run)
            if gap in self._gone:
                continue
            answer = await wrap.link.command(Replay(gap.epoch, gap.first, gap.last))
            _log.info("%s: samples %d to %d asked for again: %s", wrap.name, gap.first, gap.last, answer.result.name)
            if answer.result is not Result.OK:
                self._gone.add(gap)
