"""Sample accounting: what came, what is missing, what a replay brought. Samples are counted, never assumed.

A wrap numbers its samples from boot, so a gap is known exactly. Not responsible for asking for the replay.
"""

from dataclasses import dataclass

from wavewrap_protocol.payloads import SampleCounts
from wavewrap_protocol.reports import Telemetry

__all__ = ["Gap", "SampleLedger"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples ``first`` to ``last``, both included, that did not come."""

    epoch: int
    first: int
    last: int


class SampleLedger:
    """Counts the samples of one wrap from the first frame fed to it."""

    def __init__(self) -> None:
        self._epoch: int | None = None
        self._first = 0
        self._next = 0
        self._missing: set[int] = set()
        self._received = 0
        self._replayed = 0
        self._earlier = SampleCounts(expected=0, received=0, replayed=0, missing=0)

    def add(self, frame: Telemetry) -> Gap | None:
        """Count ``frame``; returns the gap it reveals, if any. A new epoch (the wrap booted) closes the account of the old one."""
        if frame.replay:
            self._add_replay(frame)
            return None
        if frame.epoch != self._epoch:
            self._earlier = self.counts()
            self._epoch, self._first, self._next = frame.epoch, frame.seq, frame.seq
            self._missing, self._received, self._replayed = set(), 0, 0
        gap = None
        if frame.seq > self._next:
            gap = Gap(frame.epoch, self._next, frame.seq - 1)
            self._missing.update(range(self._next, frame.seq))
        end = frame.seq + len(frame.samples_cmmhg)
        self._received += max(0, end - max(frame.seq, self._next))
        self._next = max(self._next, end)
        return gap

    def _add_replay(self, frame: Telemetry) -> None:
        if frame.epoch != self._epoch:
            return
        found = self._missing.intersection(range(frame.seq, frame.seq + len(frame.samples_cmmhg)))
        self._missing -= found
        self._replayed += len(found)

    def gaps(self) -> list[Gap]:
        """What is still missing of the newest epoch, in runs."""
        if self._epoch is None:
            return []
        missing = sorted(self._missing)
        firsts = [seq for seq in missing if seq - 1 not in self._missing]
        lasts = [seq for seq in missing if seq + 1 not in self._missing]
        return [Gap(self._epoch, first, last) for first, last in zip(firsts, lasts, strict=True)]

    def counts(self) -> SampleCounts:
        """Samples expected since the first frame, received live, replayed, and still missing."""
        return SampleCounts(
            expected=self._earlier.expected + self._next - self._first,
            received=self._earlier.received + self._received,
            replayed=self._earlier.replayed + self._replayed,
            missing=self._earlier.missing + len(self._missing),
        )
