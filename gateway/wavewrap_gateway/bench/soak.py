"""``bench soak``: one long session in real time. Does the memory stay flat, the history small and whole, is anything left over?

Daemon, simulator, broker and subscriber are processes of their own. A short session comes first, so that what is loaded once is not
taken for a leak.
"""

import asyncio
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.store_reader import LAST, load_session
from wavewrap_gateway.app.simulator import simulator
from wavewrap_gateway.bench.asking_client import AskingClient
from wavewrap_gateway.bench.daemon_child import run_daemon, wait_ready
from wavewrap_gateway.bench.mosquitto import Mosquitto, run_mosquitto
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine
from wavewrap_gateway.bench.subscriber import Subscriber
from wavewrap_gateway.core.recorded_session import RecordedSession
from wavewrap_protocol.errors import LinkError
from wavewrap_protocol.payloads import BridgeHealth, ProcessFigures, SessionSummary

__all__ = ["FLAT_AFTER_S", "SESSION_S", "bench_soak"]

WRAPS, CHAMBERS, SEED = 2, 4, 1
PROGRAM = "recovery"
WARM_UP_S = 60.0  # a cycle of it
SESSION_S = 1800.0
FLAT_AFTER_S = 300.0
"""From here on the memory must not grow."""

GROWTH_LIMIT_MB = 10.0
HISTORY_LIMIT_MB = 6.0
LOOK_S = 2.0
TELL_S = 60.0
END_S = 60.0
"""Beyond its planned length, a session has this long to end and to be published."""

REST_S = 12.0
"""Before what is left over is counted: two messages about the gateway's health and more."""


@dataclass(slots=True)
class _Heard:
    """What the daemon has published; filled in the subscriber's thread."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    process: ProcessFigures | None = None
    summaries: list[SessionSummary] = field(default_factory=list)

    def receive(self, topic: str, body: bytes, retained: bool) -> None:
        with self.changed:
            if topic.endswith("bridge/health"):
                self.process = BridgeHealth.model_validate_json(body).process
            elif topic.endswith("/session") and not retained:
                self.summaries.append(SessionSummary.model_validate_json(body))
                self.changed.notify_all()


@dataclass(frozen=True, slots=True)
class _Run:
    memory_mb: list[tuple[float, float]]  # second of the session, megabytes
    summary: SessionSummary


async def bench_soak(session_s: float = SESSION_S, flat_after_s: float = FLAT_AFTER_S) -> BenchReport:
    """A session of ``session_s``, memory held flat from ``flat_after_s`` on.

    Raises :class:`wavewrap_protocol.errors.LocalError` without mosquitto, and :class:`LinkError`.
    """
    with tempfile.TemporaryDirectory(prefix="wavewrap-") as name:
        folder = Path(name)
        history = folder / "history.sqlite"
        config = f'store = "{history}"\n[mqtt]\nurl = "{{url}}"\n[commands]\nallow = ["start", "health"]\n'
        with run_mosquitto(folder, ["persistence false"]) as broker:
            settings = MqttSettings.from_url(broker.url)
            async with (
                simulator(WRAPS, CHAMBERS, SEED, folder / "sim.jsonl") as child,
                run_daemon(folder, child.radio, settings, WRAPS, CHAMBERS, SEED, config) as daemon,
            ):
                await asyncio.to_thread(wait_ready, settings, WRAPS)
                before, run, after = await asyncio.to_thread(_play_both, broker, settings, psutil.Process(daemon.pid), session_s)
                size_mb = await asyncio.to_thread(_size_mb, folder)
        session = load_session(str(history), LAST)
    return _report(run, before, after, session, size_mb, session_s, flat_after_s)


def _size_mb(folder: Path) -> float:
    """Of the history with its log, while the daemon runs."""
    return sum(path.stat().st_size for path in folder.glob("history.sqlite*")) / 1e6


def _play_both(
    broker: Mosquitto, settings: MqttSettings, process: psutil.Process, session_s: float
) -> tuple[ProcessFigures, _Run, ProcessFigures]:
    heard = _Heard()
    subscriber = Subscriber(broker.port, f"{settings.base_topic}/#", heard.receive)
    subscriber.start()
    try:
        _play(settings, heard, process, WARM_UP_S)
        before = _rest(heard)
        run = _play(settings, heard, process, session_s)
        return before, run, _rest(heard)
    finally:
        subscriber.stop()


def _play(settings: MqttSettings, heard: _Heard, process: psutil.Process, session_s: float) -> _Run:
    with AskingClient(settings, f"soak-{time.monotonic()}") as client:
        answer = client.ask("start", program=PROGRAM, duration_s=session_s)
    if answer is None or answer[1]["status"] != "ok":
        raise LinkError(f"the daemon did not start a session: {'no answer' if answer is None else answer[1]['error']}")
    begun_s, known = time.monotonic(), len(heard.summaries)
    memory_mb: list[tuple[float, float]] = []
    told_s = 0.0
    while True:
        with heard.changed:
            if heard.changed.wait_for(lambda: len(heard.summaries) > known, LOOK_S):
                return _Run(memory_mb, heard.summaries[-1])
        since_s = time.monotonic() - begun_s
        with suppress(psutil.NoSuchProcess):
            memory_mb.append((since_s, process.memory_info().rss / 1e6))
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE or since_s > session_s + END_S:
            raise LinkError(f"the session of {session_s:g} s has not ended after {since_s:.0f} s: run 'wavewrap gateway' to see why")
        if since_s - told_s >= TELL_S:
            told_s = since_s
            print(f"soak: {since_s:.0f} of {session_s:.0f} s, {memory_mb[-1][1]:.1f} MB", file=sys.stderr, flush=True)


def _rest(heard: _Heard) -> ProcessFigures:
    """The figures when all is quiet again."""
    time.sleep(REST_S)
    with heard.changed:
        if heard.process is None:
            raise LinkError("the daemon says nothing about its health: run 'wavewrap gateway' to see why")
        return heard.process


def _report(
    run: _Run,
    before: ProcessFigures,
    after: ProcessFigures,
    session: RecordedSession,
    size_mb: float,
    session_s: float,
    flat_after_s: float,
) -> BenchReport:
    late_mb = [memory for at_s, memory in run.memory_mb if at_s >= flat_after_s]
    summary = run.summary
    kept = sum(len(side.curves) for side in session.sides)
    lost = sum(side.curves.missing for side in session.sides) + session.unrecorded
    left = (after.descriptors or 0) - (before.descriptors or 0)
    growth_mb = max(late_mb) - late_mb[0] if late_mb else 0.0
    as_planned = float(summary.ended.value == "completed" and summary.vented)
    checks = [
        Check(name="memory's growth", value=growth_mb, unit="MB", limit=GROWTH_LIMIT_MB, better="lower"),
        Check(name="history", value=size_mb, unit="MB", limit=HISTORY_LIMIT_MB, better="lower"),
        Check(name="samples that the history lacks", value=lost, unit="", limit=0, better="lower"),
        Check(name="samples missing", value=sum(wrap.samples.missing for wrap in summary.wraps), unit="", limit=0, better="lower"),
        Check(name="tasks left over", value=after.tasks - before.tasks, unit="", limit=0, better="lower"),
        Check(name="descriptors left over", value=left, unit="", limit=0, better="lower"),
        Check(name="ended as planned", value=as_planned, unit="", limit=1, better="higher"),
        Check(name="steps late", value=sum(wrap.steps.late for wrap in summary.wraps), unit="", limit=0, better="lower"),
        Check(name="samples kept", value=kept, unit="", limit=None, better="higher"),
        Check(name="memory at the end", value=after.memory_mb, unit="MB", limit=None, better="lower"),
        Check(name="threads more than before", value=after.threads - before.threads, unit="", limit=None, better="lower"),
    ]
    details = {
        "session_s": session_s,
        "flat_after_s": flat_after_s,
        "ended": f"{summary.ended.value} after {summary.duration_s:.1f} s: {summary.reason}",
        "before": before.model_dump(),
        "after": after.model_dump(),
        "memory_mb": [[round(at_s, 1), round(memory, 2)] for at_s, memory in run.memory_mb[:: max(1, len(run.memory_mb) // 60)]],
    }
    return BenchReport(bench="soak", machine=describe_machine(), checks=checks, details=details)
