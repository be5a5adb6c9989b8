"""Samples of a session that come when its record is closed: those of its last moments, when its gateway was killed or its link was lost.

A wrap keeps what it has sampled; whoever asks for it later has to know what belongs to which record, and what that still lacks. Pure.
"""

from dataclasses import dataclass, replace

from wavewrap_gateway.core.telemetry import Gap, SampleRuns
from wavewrap_protocol.limits import LEASE_MAX_MS, RING_S

__all__ = ["AFTERMATH_S", "OpenRecord", "Unfinished"]

AFTERMATH_S = 3.0 * LEASE_MAX_MS / 1000.0
"""How long the record of a session goes on that nobody could end. Choice: the longest lease, as long for the vent, and as long again after
that."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The record of wrap number ``wrap`` in a session that is closed: from ``begun_unix_s`` to before ``until_unix_s``.

    ``runs`` are the numbers of the samples that it has, of the boot ``boot_id``.
    """

    session_id: str
    wrap: int
    serial: str
    boot_id: int
    begun_unix_s: float
    until_unix_s: float
    runs: tuple[tuple[int, int], ...]

    def before(self, unix_s: float) -> "Unfinished":
        """The same, over at ``unix_s``: another session begins on the wrap."""
        return replace(self, until_unix_s=min(self.until_unix_s, unix_s))


class OpenRecord:
    """What ``unfinished`` has got since."""

    def __init__(self, unfinished: Unfinished) -> None:
        self.unfinished = unfinished
        self._runs = SampleRuns(unfinished.runs)

    def end_before(self, unix_s: float) -> None:
        """Another session begins on the wrap."""
        self.unfinished = self.unfinished.before(unix_s)

    def takes(self, first: int, count: int, at_unix_s: float) -> bool:
        """Whether samples from number ``first`` on, the first of them taken at ``at_unix_s``, belong to it and are new."""
        if at_unix_s >= self.unfinished.until_unix_s or not self._runs.absent(first, first + count - 1):
            return False
        runs = self._runs.runs()
        return first >= runs[0][0] if runs else at_unix_s >= self.unfinished.begun_unix_s

    def add(self, first: int, count: int) -> None:
        """It has these now."""
        self._runs.add(first, first + count - 1)

    def gaps(self, newest: int, at_unix_s: float, period_s: float) -> list[Gap]:
        """What it lacks; sample ``newest`` was taken at ``at_unix_s``, one every ``period_s`` before it."""

        def number_at(unix_s: float) -> int:
            return newest + round((unix_s - at_unix_s) / period_s)

        runs = self._runs.runs()
        # Half a sample more or less is the clock's: of a record that is not empty the first number is known.
        first = runs[0][0] if runs else max(0, number_at(self.unfinished.begun_unix_s))
        last = min(newest, number_at(self.unfinished.until_unix_s) - 1)
        return [Gap(self.unfinished.boot_id & 0xFF, *run) for run in self._runs.absent(first, last)]

    def is_over(self, at_unix_s: float) -> bool:
        """Whether no wrap has anything more for it at ``at_unix_s``."""
        return at_unix_s > self.unfinished.until_unix_s + RING_S
