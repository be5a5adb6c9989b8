"""Sample accounting: what came, what is missing, what a replay brought. Samples are counted, never assumed.

A wrap numbers its samples from boot, so a gap is known exactly. Not responsible for asking for the replay.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wavewrap_protocol.payloads import SampleCounts
from wavewrap_protocol.reports import Telemetry

__all__ = ["Gap", "SampleLedger", "SampleRuns"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples ``first`` to ``last``, both included, that did not come."""

    epoch: int
    first: int
    last: int


class SampleRuns:
    """Which numbers have come, as runs ``(first, last)``, both included, rising and apart. Those at the beginning may touch each other."""

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        self._runs: list[tuple[int, int]] = []
        for first, last in sorted(runs):
            self.add(first, last)

    def add(self, first: int, last: int) -> None:
        """These have come, whether they had before or not."""
        if self._runs and first == self._runs[-1][1] + 1:
            self._runs[-1] = (self._runs[-1][0], last)  # as nearly always
            return
        at = len(self._runs)
        while at > 0 and self._runs[at - 1][0] > first:
            at -= 1
        begin = at - 1 if at > 0 and self._runs[at - 1][1] >= first - 1 else at
        end = at
        while end < len(self._runs) and self._runs[end][0] <= last + 1:
            end += 1
        touched = self._runs[begin:end]
        if touched:
            first, last = min(first, touched[0][0]), max(last, *(run[1] for run in touched))
        self._runs[begin:end] = [(first, last)]

    def runs(self) -> list[tuple[int, int]]:
        """All of them."""
        return list(self._runs)

    def absent(self, first: int, last: int) -> list[tuple[int, int]]:
        """What lies between ``first`` and ``last``, both included, and has not come."""
        found: list[tuple[int, int]] = []
        for begin, end in self._runs:
            if begin > last:
                break
            if begin > first:
                found.append((first, begin - 1))
            first = max(first, end + 1)
        if first <= last:
            found.append((first, last))
        return found


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

    def recall(self, epoch: int, runs: Sequence[tuple[int, int]]) -> list[Gap]:
        """An earlier run of the gateway had these ``runs`` of ``epoch``: the account begins with them. Returns what lies in between."""
        first_here = self._first
        before = [(first, min(last, first_here - 1)) for first, last in sorted(runs) if first < first_here]
        if epoch != self._epoch or not before:
            return []
        self._first = before[0][0]
        gaps: list[Gap] = []
        for (_, last), (following, _) in zip(before, [*before[1:], (first_here, first_here)], strict=True):
            if following > last + 1:
                gaps.append(Gap(epoch, last + 1, following - 1))
                self._missing.update(range(last + 1, following))
        self._received = self._next - self._first - len(self._missing) - self._replayed
        return gaps

    def successor(self) -> "SampleLedger":
        """A ledger of its own that counts from here on."""
        ledger = SampleLedger()
        ledger._epoch, ledger._first, ledger._next = self._epoch, self._next, self._next
        return ledger

    @property
    def epoch(self) -> int | None:
        """The newest epoch, None before the first frame."""
        return self._epoch

    @property
    def span(self) -> tuple[int, int]:
        """The first number of the newest epoch that is accounted for, and the one after the last."""
        return self._first, self._next

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
