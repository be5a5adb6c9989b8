"""Keeps what comes for sessions that are over: after a SIGKILL of the gateway, after a link that was lost at the end of a session.

Stands before the :class:`HistoryStore` and sees what goes into it. Not responsible for asking (:mod:`wavewrap_gateway.runtime.recall`).
"""

import logging
from collections.abc import Callable, Iterable, Sequence

from wavewrap_gateway.core.history import RecordedEvent, RecordedFrame, RecordedStep, RecordState, SessionEnd, SessionHead
from wavewrap_gateway.core.late_samples import AFTERMATH_S, OpenRecord, Unfinished
from wavewrap_gateway.core.telemetry import Gap, SampleRuns
from wavewrap_gateway.runtime.link_events import FrameArrived, LinkEvent
from wavewrap_gateway.runtime.recording import HistoryStore, record_frame
from wavewrap_gateway.runtime.wrap import Wrap

__all__ = ["LateSamples"]

_ENDED_BY_NOBODY = (RecordState.INTERRUPTED, RecordState.FAULTED)
"""Where the wrap may still have been under pressure when the record was closed."""

_log = logging.getLogger(__name__)


class LateSamples:
    """Implements :class:`HistoryStore` before ``store``; ``unix_s`` turns host time into wall time."""

    def __init__(self, store: HistoryStore, unix_s: Callable[[float], float]) -> None:
        self._store = store
        self._unix_s = unix_s
        self._heads: dict[str, SessionHead] = {}
        self._runs: dict[tuple[str, int], SampleRuns] = {}
        self._open: list[OpenRecord] = []
        self._followed: dict[Wrap, Callable[[], None]] = {}
        self._newest: dict[Wrap, tuple[int, float, float]] = {}
        """Of every wrap that is followed: number of a sample, wall time at which it was taken, seconds from one to the next."""

    def begin(self, head: SessionHead) -> None:
        """As the port says; whatever was open on its wraps is over."""
        self._heads[head.session_id] = head
        serials = {wrap.serial for wrap in head.wraps}
        for record in self._open:
            if record.unfinished.serial in serials:
                record.end_before(head.started_unix_s)
        self._store.begin(head)

    def add_frame(self, frame: RecordedFrame) -> None:
        """As the port says."""
        head = self._heads.get(frame.session_id)
        if head is not None and frame.epoch == head.wraps[frame.wrap].boot_id & 0xFF:
            runs = self._runs.setdefault((frame.session_id, frame.wrap), SampleRuns())
            runs.add(frame.seq, frame.seq + len(frame.samples_cmmhg) - 1)
        self._store.add_frame(frame)

    def add_event(self, event: RecordedEvent) -> None:
        """As the port says."""
        self._store.add_event(event)

    def add_steps(self, steps: Sequence[RecordedStep]) -> None:
        """As the port says."""
        self._store.add_steps(steps)

    def finish(self, end: SessionEnd) -> None:
        """As the port says; what its samples lack is waited for."""
        self._store.finish(end)
        head = self._heads.pop(end.session_id, None)
        if head is None:
            return
        until_s = end.ended_unix_s + (AFTERMATH_S if end.state in _ENDED_BY_NOBODY else 0.0)
        unfinished: list[Unfinished] = []
        for number, wrap in enumerate(head.wraps):
            runs = self._runs.pop((head.session_id, number), SampleRuns()).runs()
            unfinished.append(Unfinished(head.session_id, number, wrap.serial, wrap.boot_id, head.started_unix_s, until_s, tuple(runs)))
        self.expect(unfinished)

    def expect(self, unfinished: Sequence[Unfinished]) -> None:
        """These are closed, and may lack something."""
        for one in unfinished:
            begun_s = [head.started_unix_s for head in self._heads.values() if any(wrap.serial == one.serial for wrap in head.wraps)]
            self._open.append(OpenRecord(one.before(min(begun_s, default=one.until_unix_s))))

    def follow(self, wraps: Iterable[Wrap]) -> None:
        """Listen to ``wraps`` and nobody else, as long as something is open."""
        wanted = set(wraps) if self._open else set[Wrap]()
        for wrap in self._followed.keys() - wanted:
            self._followed.pop(wrap)()
            self._newest.pop(wrap, None)
        for wrap in wanted - self._followed.keys():
            self._followed[wrap] = wrap.listen(self._on_event)

    def gaps(self, wrap: Wrap) -> list[Gap]:
        """What the records that are open lack of ``wrap``, as far as is known."""
        newest = self._newest.get(wrap)
        return [] if newest is None else [gap for record in self._of(wrap) for gap in record.gaps(*newest)]

    def _of(self, wrap: Wrap) -> list[OpenRecord]:
        identity, boot_id = wrap.link.identity, wrap.link.clock_sync.boot_id
        if identity is None:
            return []
        return [one for one in self._open if (one.unfinished.serial, one.unfinished.boot_id) == (identity.serial, boot_id)]

    def _on_event(self, wrap: Wrap, event: LinkEvent) -> None:
        sync = wrap.link.clock_sync
        estimate = sync.estimate
        if not isinstance(event, FrameArrived) or estimate is None or event.frame.epoch != sync.boot_id & 0xFF:
            return
        frame = event.frame
        at_s = self._unix_s(estimate.host_at(sync.unwrap(frame.tick)))
        if not frame.replay:
            self._newest[wrap] = frame.seq, at_s, frame.period_ms / 1000.0
            self._open = [one for one in self._open if not one.is_over(at_s)]
        count = len(frame.samples_cmmhg)
        for record in self._of(wrap):
            if record.takes(frame.seq, count, at_s):
                record.add(frame.seq, count)
                session_id, number = record.unfinished.session_id, record.unfinished.wrap
                _log.debug("%s: samples from %d on belong to session %s", wrap.name, frame.seq, session_id)
                self._store.add_frame(record_frame(session_id, number, wrap, frame, self._unix_s))
