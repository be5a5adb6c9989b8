"""``bench requests``: how soon the daemon answers a stop: idle, flooded with other requests in a session, and after the broker was gone.

Daemon, simulator, broker and client are processes of their own, on one machine.
"""

import asyncio
import tempfile
import threading
import time
from pathlib import Path

from wavewrap_gateway.adapters.broker import EMBEDDED_VERSION, EmbeddedBroker
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.app.simulator import simulator
from wavewrap_gateway.bench.asking_client import AskingClient
from wavewrap_gateway.bench.daemon_child import run_daemon, wait_ready
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine
from wavewrap_gateway.core.account import quantiles
from wavewrap_protocol.errors import LinkError

__all__ = ["bench_requests"]

WRAPS, CHAMBERS, SEED = 2, 4, 1
LIMIT_MS = 100.0
FLOOD_HZ = 200.0
"""Other requests. Choice: more than a broker full of clients sends; a daemon that keeps up answers them all."""

OUTAGE_S = 15.0
BACKFILL_HZ = 30
"""Fifteen seconds of two wraps at ten batches a second are ten seconds of backfill, longer than the measurement."""

DAEMON_CONFIG = (
    f'[mqtt]\nurl = "{{url}}"\nidle_telemetry = true\n[outbox]\nbackfill_per_s = {BACKFILL_HZ}\n[commands]\nallow = ["start", "health"]\n'
)
"""Samples at all times, and slowly when they are late: so there is a backfill to answer beside."""

PAUSE_S = 0.02


async def bench_requests(stops: int = 300) -> BenchReport:
    """``stops`` in each of three scenes. Raises :class:`LinkError` when something does not start."""
    broker = EmbeddedBroker()
    try:
        settings = MqttSettings.from_url(await broker.start(), version=EMBEDDED_VERSION)
        with tempfile.TemporaryDirectory(prefix="wavewrap-") as folder:
            async with (
                simulator(WRAPS, CHAMBERS, SEED, Path(folder) / "sim.jsonl") as child,
                run_daemon(Path(folder), child.radio, settings, WRAPS, CHAMBERS, SEED, DAEMON_CONFIG) as gateway,
            ):
                await asyncio.to_thread(wait_ready, settings, WRAPS)
                idle_ms = await asyncio.to_thread(_measure, settings, stops, 0.0)
                flooded_ms = await asyncio.to_thread(_measure, settings, stops, FLOOD_HZ)
                await broker.close()
                await asyncio.sleep(OUTAGE_S)
                broker = EmbeddedBroker(settings.port)
                await broker.start()
                await asyncio.to_thread(wait_ready, settings, WRAPS)
                backfill_ms = await asyncio.to_thread(_measure, settings, stops, 0.0)
                if gateway.returncode is not None:
                    raise LinkError("the daemon ended during the bench: run 'wavewrap gateway' to see why")
    finally:
        await broker.close()
    checks: list[Check] = []
    for scene, times_ms in (("idle", idle_ms), (f"session, {FLOOD_HZ:g} requests/s", flooded_ms), ("after an outage", backfill_ms)):
        told = quantiles(times_ms)
        checks.append(Check(name=f"{scene}: answered", value=100.0 * len(times_ms) / stops, unit="%", limit=100.0, better="higher"))
        checks.append(Check(name=f"{scene}: p50", value=told.p50, unit="ms", limit=None, better="lower"))
        checks.append(Check(name=f"{scene}: p99", value=told.p99, unit="ms", limit=LIMIT_MS, better="lower"))
        checks.append(Check(name=f"{scene}: longest", value=told.max, unit="ms", limit=None, better="lower"))
    details = {"stops": stops, "wraps": WRAPS, "chambers": CHAMBERS, "flood_hz": FLOOD_HZ, "outage_s": OUTAGE_S, "seed": SEED}
    return BenchReport(bench="requests", machine=describe_machine(), checks=checks, details=details)


def _measure(settings: MqttSettings, stops: int, flood_hz: float) -> list[float]:
    """Milliseconds of each stop that was answered; with a flood the first one ends a session."""
    over = threading.Event()
    flooding = threading.Thread(target=_flood, args=(settings, flood_hz, over))
    times_ms: list[float] = []
    with AskingClient(settings, f"stops-{time.monotonic()}") as client:
        if flood_hz > 0.0:
            flooding.start()
            client.ask("start", program="recovery")
        try:
            for _ in range(stops):
                answer = client.ask("stop")
                if answer is not None:
                    times_ms.append(answer[0] * 1000.0)
                time.sleep(PAUSE_S)
        finally:
            over.set()
            if flood_hz > 0.0:
                flooding.join()
    return times_ms


def _flood(settings: MqttSettings, rate_hz: float, over: threading.Event) -> None:
    with AskingClient(settings, f"flood-{time.monotonic()}") as client:
        while not over.wait(1.0 / rate_hz):
            client.send("health")
