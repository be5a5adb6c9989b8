"""``bench fleet``: the message load of many gateways from one process, each with a connection of its own, into one mosquitto.

What a gateway with two wraps of 50 Hz publishes: ten batches of telemetry and two states a second. Sent by the
gateway's own publisher; what is simulated is only that there are that many. Messages wait in memory: a file each would measure the disk.
"""

import asyncio
import json
import math
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

from wavewrap_gateway.adapters.mqtt import MqttPublisher
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.bench.mosquitto import run_mosquitto
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine
from wavewrap_protocol.errors import LocalError
from wavewrap_protocol.payloads import LinkCounts, Side, Telemetry, WrapState

__all__ = ["FOR_S", "GATEWAYS", "bench_fleet"]

GATEWAYS = 200
FOR_S = 30.0
WRAPS = ("left", "right")
PERIOD_MS = 20
SAMPLES = 10
CHAMBERS = 4
BATCH_S = SAMPLES * PERIOD_MS / 1000.0
STATE_EVERY = 5
"""Batches between two states: once a second."""

END_S = 60.0
PACE_LIMIT_PCT = 99.0
P99_LIMIT_MS = 250.0
"""A batch period and 50 ms: what waits longer than its successor's turn piles up."""


async def bench_fleet(gateways: int = GATEWAYS, for_s: float = FOR_S) -> BenchReport:
    """Raises :class:`LocalError` without mosquitto."""
    with tempfile.TemporaryDirectory(prefix="wavewrap-") as name, run_mosquitto(Path(name), ["persistence false"]) as broker:
        async with _listening(broker.port) as listener:
            publishers = [
                MqttPublisher(MqttSettings.from_url(broker.url, base_topic=f"fleet/g{number:03}", version="5"), f"fleet-{number}")
                for number in range(gateways)
            ]
            for publisher in publishers:  # one after the other: 200 threads that connect at once measure the scheduler
                await publisher.start()
            turns = math.ceil(for_s / BATCH_S)
            begun_s, begun_cpu_s, begun_broker_s = time.monotonic(), time.process_time(), _cpu_s(broker.pid)
            late_s = await asyncio.gather(*(_play(number, publisher, turns, begun_s) for number, publisher in enumerate(publishers)))
            took_s = time.monotonic() - begun_s
            cpu_s, broker_cpu_s = time.process_time() - begun_cpu_s, _cpu_s(broker.pid) - begun_broker_s
            drained = await asyncio.gather(*(publisher.drain(END_S) for publisher in publishers))
            counts = [publisher.counts() for publisher in publishers]
            heard = await _ask(listener)
            await asyncio.gather(*(publisher.close() for publisher in publishers))
    sent = gateways * turns * len(WRAPS)
    messages = sum(one.published for one in counts)
    pace_pct = 100.0 * turns * BATCH_S / max(took_s, turns * BATCH_S)
    checks = [
        Check(name="telemetry lost", value=sent - heard["distinct"], unit="messages", limit=0.0, better="lower"),
        Check(name="given up", value=sum(one.dropped for one in counts), unit="messages", limit=0.0, better="lower"),
        Check(name="gateways with something unsent", value=drained.count(False), unit="", limit=0.0, better="lower"),
        Check(name="pace kept", value=pace_pct, unit="%", limit=PACE_LIMIT_PCT, better="higher"),
        Check(name="load", value=messages / took_s, unit="msg/s", limit=None, better="higher"),
        Check(name="publish to subscriber, p50", value=heard["p50_ms"], unit="ms", limit=None, better="lower"),
        Check(name="the same, p99", value=heard["p99_ms"], unit="ms", limit=P99_LIMIT_MS, better="lower"),
        Check(name="CPU of all gateways", value=100.0 * cpu_s / took_s, unit="% of a core", limit=None, better="lower"),
        Check(name="CPU of the broker", value=100.0 * broker_cpu_s / took_s, unit="% of a core", limit=None, better="lower"),
        Check(name="CPU a message", value=1e6 * cpu_s / messages, unit="us", limit=None, better="lower"),
    ]
    details = {
        "gateways": gateways,
        "for_s": took_s,
        "connections": gateways,
        "telemetry": sent,
        "repeats": heard["repeats"],
        "latest_turn_s": max(late_s),
        "listener": heard,
    }
    return BenchReport(bench="fleet", machine=describe_machine(), checks=checks, details=details)


async def _play(number: int, publisher: MqttPublisher, turns: int, begun_s: float) -> float:
    """One gateway's messages, each at its time; how late the latest turn was. Gateways do not beat together: each has its own phase."""
    phase_s = BATCH_S * (number * 0.618 % 1.0)
    latest_s = 0.0
    name = f"g{number:03}"
    for turn in range(turns):
        due_s = begun_s + phase_s + turn * BATCH_S
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        latest_s = max(latest_s, time.monotonic() - due_s)
        for wrap in WRAPS:
            publisher.publish("wrap_telemetry", _telemetry(name, wrap, turn), wrap)
            if turn % STATE_EVERY == 0:
                publisher.publish("wrap_state", _state(name, wrap), wrap)
    return latest_s


def _telemetry(gateway: str, wrap: str, turn: int) -> Telemetry:
    columns = [[round(12.34 + chamber + (turn + sample) % 7 / 7.0, 2) for sample in range(SAMPLES)] for chamber in range(CHAMBERS)]
    return Telemetry(
        gateway=gateway,
        wrap=wrap,
        boot_id=1,
        seq=SAMPLES * turn,
        tick=SAMPLES * turn * PERIOD_MS * 10,
        period_ms=PERIOD_MS,
        replay=False,
        unix_s=time.clock_gettime(time.CLOCK_REALTIME),  # of sending, for the listener to subtract
        pressure_mmhg=columns,
    )


def _state(gateway: str, wrap: str) -> WrapState:
    return WrapState(
        gateway=gateway,
        gateway_boot=1,
        seq=1,
        id=wrap,
        side=Side(wrap),
        boot_id=1,
        link="ready",
        device_state="idle",
        fault=None,
        pressure_mmhg=[0.0] * CHAMBERS,
        target_mmhg=None,
        battery_pct=80,
        clock=None,
        session=None,
        counts=LinkCounts(**dict.fromkeys(LinkCounts.model_fields, 0)),
    )


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


@asynccontextmanager
async def _listening(port: int) -> AsyncIterator[Process]:
    module = "wavewrap_gateway.bench.fleet_listener"
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, str(port), stdin=PIPE, stdout=PIPE)
    try:
        assert process.stdout is not None  # it was asked for
        async with asyncio.timeout(END_S):
            if (await process.stdout.readline()).strip() != b"ready":
                raise LocalError("the listener of bench fleet did not start")
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _ask(process: Process) -> dict[str, float]:
    """What the listener heard; a moment is left for what is still on its way."""
    await asyncio.sleep(1.0)
    assert process.stdin is not None  # they were asked for
    assert process.stdout is not None
    process.stdin.close()
    async with asyncio.timeout(END_S):
        heard: dict[str, float] = json.loads(await process.stdout.readline())
    return heard
