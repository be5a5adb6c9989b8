"""What became of the steps: records gathered for a moment, then told in one report."""

from collections.abc import Callable

from wavewrap_protocol.enums import StepOutcome
from wavewrap_protocol.reports import Report, StepRecord, StepsReport
from wavewrap_protocol.units import TICK_MODULUS, TICKS_PER_S
from wavewrap_sim.firmware_config import StepDone
from wavewrap_sim.step_queue import QueuedStep

__all__ = ["StepRecords"]

_DELAY_TICKS = TICKS_PER_S // 10
"""A record waits this long for others. Choice: as long as a telemetry batch."""


class StepRecords:
    """``report`` takes each report, built from its number."""

    def __init__(self, report: Callable[[Callable[[int], Report]], None]) -> None:
        self._report = report
        self._records: list[StepRecord] = []
        self._since_count = 0
        self._capacity = 1

    def set_capacity(self, records: int) -> None:
        """How many records one report may carry; at least 1 is taken."""
        self._capacity = max(1, records)

    def add(self, count: int, queued: QueuedStep, outcome: StepOutcome) -> StepDone:
        """``queued`` was dealt with at ``count``."""
        if not self._records:
            self._since_count = count
        tick, planned_tick = count % TICK_MODULUS, queued.step.due_tick
        self._records.append(StepRecord(queued.seq, planned_tick, tick, outcome))
        if len(self._records) >= self._capacity:
            self.tell()
        return StepDone(queued.seq, queued.step.chamber, planned_tick, tick, outcome)

    def tell_due(self, count: int) -> None:
        """Tell what has waited long enough."""
        if self._records and count - self._since_count >= _DELAY_TICKS:
            self.tell()

    def tell(self) -> None:
        """Tell what there is, before anything else is reported."""
        if self._records:
            records, self._records = tuple(self._records), []
            self._report(lambda number: StepsReport(number, records))
