"""``bench throughput``: payload, outbox file, paho, mosquitto, subscriber; beside the same path through persist-queue's SQLiteAckQueue.

Both paths are driven alike: messages are handed in as fast as a bounded number of them may wait, so each lies in its file before it goes
out, and is removed when the broker has answered for it.
"""

import asyncio
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from wavewrap_gateway.adapters.mqtt import MqttPublisher
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.outbox import Outbox, Trouble
from wavewrap_gateway.bench.ack_queue import drive_ack_queue
from wavewrap_gateway.bench.mosquitto import Mosquitto, run_mosquitto
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine
from wavewrap_gateway.runtime.message_queues import MessageQueues
from wavewrap_gateway.runtime.storage import Bounds
from wavewrap_protocol.errors import BrokerError
from wavewrap_protocol.payloads import Telemetry

__all__ = ["bench_throughput"]

MESSAGES = 40_000
REFERENCE_MESSAGES = 2_000
WAITING = 900
CHUNK = 100
RATE_LIMIT_PER_S = 6000.0
CPU_LIMIT_US = 110.0
RATIO_LIMIT = 20.0
END_S = 120.0
TOPIC = "wavewrap/bench/telemetry"

_BOUNDS = Bounds(1_000_000, 1_000_000_000, 86_400.0)


@dataclass(frozen=True, slots=True)
class _Run:
    """``cpu_us`` of this process a message, the outbox's thread counted in."""

    rate_per_s: float
    cpu_us: float
    written: int


def telemetry(seq: int) -> Telemetry:
    """A batch of ten samples of four chambers, as it comes five times a second from each wrap."""
    columns = [[12.34 + chamber + sample / 7.0 for sample in range(10)] for chamber in range(4)]
    rounded = [[round(value, 2) for value in column] for column in columns]
    return Telemetry(
        gateway="bench", wrap="bench", boot_id=1, seq=10 * seq, tick=seq, period_ms=20, replay=False, unix_s=1.7e9, pressure_mmhg=rounded
    )


async def bench_throughput(messages: int = MESSAGES, reference_messages: int = REFERENCE_MESSAGES) -> BenchReport:
    """Both paths one after the other. Raises :class:`wavewrap_protocol.errors.LocalError` without mosquitto."""
    with tempfile.TemporaryDirectory(prefix="wavewrap-") as name:
        folder = Path(name)
        with run_mosquitto(folder, ["persistence false"]) as broker:
            ours = await _drive_outbox(folder, broker, messages)
            queue = await _drive_outbox_alone(folder, messages)
            reference = await drive_ack_queue(folder, broker, [telemetry(seq) for seq in range(reference_messages)])
    checks = [
        Check(name="whole path", value=ours.rate_per_s, unit="msg/s", limit=RATE_LIMIT_PER_S, better="higher"),
        Check(name="CPU a message", value=ours.cpu_us, unit="us", limit=CPU_LIMIT_US, better="lower"),
        Check(name="written to the file first", value=100.0 * ours.written / messages, unit="%", limit=90.0, better="higher"),
    ]
    return BenchReport(bench="throughput", machine=describe_machine(), checks=checks, details={"messages": messages, "q": queue, "r": reference})


async def _drive_outbox(folder: Path, broker: Mosquitto, messages: int) -> _Run:
    outbox = Outbox(folder / "outbox.sqlite", _BOUNDS, _unix_s, _raise_trouble)
    await outbox.open()
    queues = MessageQueues(outbox, _unix_s)
    publisher = MqttPublisher(MqttSettings.from_url(broker.url), "wavewrap-bench", queues)
    await publisher.start()
    try:
        async with counting(broker.port, messages) as finished:
            payloads = [telemetry(seq) for seq in range(CHUNK)]
            begun_s, begun_cpu_s = time.monotonic(), time.process_time()
            for start in range(0, messages, CHUNK):
                for seq in range(start, min(messages, start + CHUNK)):
                    publisher.publish("wrap_telemetry", payloads[0].model_copy(update={"seq": 10 * seq}), "bench")
                while queues.counts().waiting > WAITING:
                    await asyncio.sleep(0.001)
            await publisher.drain(END_S)
            cpu_s = time.process_time() - begun_cpu_s
            took_s = await finished() - begun_s
    finally:
        await publisher.close()
        await outbox.close()
    return _Run(messages / took_s, 1e6 * cpu_s / messages, outbox.written)
