"""The port through which a session is recorded, and what listens to a session for it. Knows no database.

Not responsible for keeping anything (:class:`HistoryStore`), nor for what is published (:mod:`wavewrap_gateway.runtime.bridge`).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from wavewrap_gateway.core.history import RecordedEvent, RecordedFrame, RecordedStep, RecordState, SessionEnd, SessionHead
from wavewrap_gateway.core.timeline import ScheduledStep
from wavewrap_gateway.runtime.link_events import FrameArrived, LinkEvent
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol.payloads import BridgeEvent, SessionSummary, WrapEvent
from wavewrap_protocol.reports import Telemetry

__all__ = ["HistoryStore", "SessionRecorder", "record_frame"]


class HistoryStore(Protocol):
    """Takes records of sessions. Every method returns at once and never raises: a session does not fail for its history."""

    def begin(self, head: SessionHead) -> None:
        """A session begins."""

    def add_frame(self, frame: RecordedFrame) -> None:
        """Samples; under pressure the oldest that are not kept yet are dropped, and counted in the record."""

    def add_event(self, event: RecordedEvent) -> None:
        """An event; kept before the samples that came with it."""

    def add_steps(self, steps: Sequence[RecordedStep]) -> None:
        """Steps that were answered for."""

    def finish(self, end: SessionEnd) -> None:
        """The session is over."""


def record_frame(session_id: str, number: int, wrap: Wrap, frame: Telemetry, unix_s: Callable[[float], float]) -> RecordedFrame:
    """``frame`` of ``wrap``, number ``number`` in its session; ``unix_s`` turns host time into wall time."""
    sync = wrap.link.clock_sync
    tick, estimate = sync.unwrap(frame.tick), sync.estimate
    at_s = None if estimate is None else unix_s(estimate.host_at(tick))
    return RecordedFrame(
        session_id, number, frame.epoch, frame.seq, tick, frame.period_ms, frame.mask, frame.replay, at_s, frame.samples_cmmhg
    )


class SessionRecorder:
    """Records the session ``head`` of ``runs``, whose wraps stand in the same order in it, from now on until :meth:`finish`.

    ``unix_s`` turns host time into wall time.
    """

    def __init__(self, store: HistoryStore, head: SessionHead, runs: Sequence[WrapRun], unix_s: Callable[[float], float]) -> None:
        self._store = store
        self._id = head.session_id
        self._unix_s = unix_s
        self._answers = [0] * len(runs)
        self._begun: list[dict[int, int]] = [{} for _ in runs]
        """Of every wrap: by epoch, the number of the first sample that came live."""
        self._finished = False
        store.begin(head)
        self._forget: list[Callable[[], None]] = []
        for number, run in enumerate(runs):
            self._forget.append(run.wrap.listen(partial(self._on_event, number)))
            run.observe_steps = partial(self._on_steps, number)
        self._runs = tuple(runs)

    def _on_event(self, number: int, wrap: Wrap, event: LinkEvent) -> None:
        if not isinstance(event, FrameArrived):
            return
        if self._is_of_session(number, event.frame):
            self._store.add_frame(record_frame(self._id, number, wrap, event.frame, self._unix_s))

    def _is_of_session(self, number: int, frame: Telemetry) -> bool:
        """What is sent again may be older than the session: a gateway asks also for what one before it has not kept."""
        if not frame.replay:
            self._begun[number].setdefault(frame.epoch, frame.seq)
            return True
        first = self._begun[number].get(frame.epoch)
        return first is not None and frame.seq >= first

    def _on_steps(self, number: int, steps: Sequence[ScheduledStep]) -> None:
        first = self._answers[number]
        self._answers[number] += len(steps)
        self._store.add_steps([RecordedStep.of(self._id, number, first + at, step) for at, step in enumerate(steps)])

    def take_event(self, event: WrapEvent | BridgeEvent) -> None:
        """An event that was published; that of a wrap in another session is not ours."""
        others = isinstance(event, WrapEvent) and all(event.wrap != run.wrap.name for run in self._runs)
        if not self._finished and not others:
            self._store.add_event(RecordedEvent.of(self._id, event))

    def finish(self, summary: SessionSummary | None, ended_s: float) -> None:
        """The session was over at host second ``ended_s``; without a summary it was broken off. Only the first call counts."""
        if self._finished:
            return
        self._finished = True
        for forget in self._forget:
            forget()
        for run in self._runs:
            run.observe_steps = None
        if summary is None:
            end = SessionEnd(self._id, RecordState.INTERRUPTED, "the session was broken off", self._unix_s(ended_s), None)
        else:
            state = RecordState(summary.ended.value)
            end = SessionEnd(self._id, state, summary.reason, self._unix_s(ended_s), summary.model_dump_json())
        self._store.finish(end)
