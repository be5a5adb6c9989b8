"""``bench throughput``: payload, outbox file, paho, mosquitto, subscriber; beside the same through persist-queue's SQLiteAckQueue.

Both are driven alike: messages are handed in as fast as a bounded number of them may wait, so that they lie in the file before they go
out, and are removed when the broker has answered. The queues alone are driven alike too: all in, then all out; the limit is on these, for
the broker's share of the path is the same in both. The reference gets a tenth of the messages, in its favour: the more it has seen, the
slower it is.
"""

import asyncio
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from wavewrap_gateway.adapters.mqtt import MqttPublisher
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.outbox import Outbox, Trouble
from wavewrap_gateway.bench.ack_queue import HAS_ACK_QUEUE, AckQueuePath
from wavewrap_gateway.bench.mosquitto import Mosquitto, run_mosquitto
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine
from wavewrap_gateway.runtime.message_queues import MessageQueues, QueueRules
from wavewrap_gateway.runtime.publishing import Message, encode_message
from wavewrap_gateway.runtime.storage import Bounds
from wavewrap_protocol.errors import LocalError
from wavewrap_protocol.payloads import Telemetry

__all__ = ["bench_throughput"]

MESSAGES = 20_000
REFERENCE_SHARE = 10
WAITING = 900
CHUNK = 50
RATE_LIMIT_PER_S = 6000.0
CPU_LIMIT_US = 110.0
RATIO_LIMIT = 20.0
WRITTEN_LIMIT_PCT = 85.0
END_S = 120.0
TOPIC = "wavewrap/bench/telemetry"

_BOUNDS = Bounds(1_000_000, 1_000_000_000, 86_400.0)


@dataclass(frozen=True, slots=True)
class _Run:
    """``cpu_us`` of this process for a message, every thread of it counted in."""

    rate_per_s: float
    cpu_us: float


_COLUMNS = [[round(12.34 + chamber + sample / 7.0, 2) for sample in range(10)] for chamber in range(4)]


def _telemetry(number: int) -> Telemetry:
    """Ten samples of four chambers: what a wrap sends five times a second."""
    return Telemetry(
        gateway="bench",
        wrap="bench",
        boot_id=1,
        seq=10 * number,
        tick=number,
        period_ms=20,
        replay=False,
        unix_s=1.7e9,
        pressure_mmhg=_COLUMNS,
    )


async def bench_throughput(messages: int = MESSAGES) -> BenchReport:
    """One after the other. Raises :class:`LocalError` without mosquitto."""
    with tempfile.TemporaryDirectory(prefix="wavewrap-") as name:
        folder = Path(name)
        with run_mosquitto(folder, ["persistence false"]) as broker:
            ours, written = await _drive_outbox(folder / "path", broker, messages)
            reference = await _drive_ack_queue(folder / "reference", broker, messages // REFERENCE_SHARE) if HAS_ACK_QUEUE else None
        alone = await _drive_outbox_alone(folder / "alone", messages)
        reference_alone = _drive_ack_queue_alone(folder / "reference-alone", messages // REFERENCE_SHARE) if HAS_ACK_QUEUE else None
    checks = [
        Check(name="whole path", value=ours.rate_per_s, unit="msg/s", limit=RATE_LIMIT_PER_S, better="higher"),
        Check(name="CPU a message", value=ours.cpu_us, unit="us", limit=CPU_LIMIT_US, better="lower"),
        Check(name="written to the file", value=100.0 * written / messages, unit="%", limit=WRITTEN_LIMIT_PCT, better="higher"),
        Check(name="outbox alone", value=alone, unit="msg/s", limit=None, better="higher"),
    ]
    if reference is not None and reference_alone is not None:
        ratio, ratio_alone = ours.rate_per_s / reference.rate_per_s, alone / reference_alone
        checks += [
            Check(name="outbox / SQLiteAckQueue", value=ratio_alone, unit="", limit=RATIO_LIMIT, better="higher"),
            Check(name="whole path / with SQLiteAckQueue", value=ratio, unit="", limit=None, better="higher"),
            Check(name="whole path through SQLiteAckQueue", value=reference.rate_per_s, unit="msg/s", limit=None, better="higher"),
            Check(name="SQLiteAckQueue alone", value=reference_alone, unit="msg/s", limit=None, better="higher"),
            Check(name="CPU a message through SQLiteAckQueue", value=reference.cpu_us, unit="us", limit=None, better="lower"),
        ]
    details = {"messages": messages, "waiting": WAITING, "has_reference": HAS_ACK_QUEUE}
    return BenchReport(bench="throughput", machine=describe_machine(), checks=checks, details=details)


async def _drive_outbox(folder: Path, broker: Mosquitto, messages: int) -> tuple[_Run, int]:
    outbox = Outbox(folder / "outbox.sqlite", _BOUNDS, _unix_s, _refuse_trouble)
    await outbox.open()
    queues = MessageQueues(outbox, _unix_s)
    publisher = MqttPublisher(MqttSettings.from_url(broker.url), "wavewrap-bench", queues)
    await publisher.start()

    def put(number: int) -> None:
        publisher.publish("wrap_telemetry", _telemetry(number), "bench")

    try:
        run = await _drive(broker, messages, put, lambda: queues.counts().waiting)
    finally:
        await publisher.close()
        await outbox.close()
    return run, outbox.written


async def _drive_ack_queue(folder: Path, broker: Mosquitto, messages: int) -> _Run:
    path = AckQueuePath(folder, MqttSettings.from_url(broker.url))
    await path.start()
    try:
        return await _drive(broker, messages, lambda number: path.put(_encode(number)), lambda: path.waiting)
    finally:
        await path.close()


async def _drive(broker: Mosquitto, messages: int, put: Callable[[int], None], waiting: Callable[[], int]) -> _Run:
    async with _counting(broker.port, messages) as finished:
        begun_s, begun_cpu_s = time.monotonic(), time.process_time()
        for start in range(0, messages, CHUNK):
            for number in range(start, min(messages, start + CHUNK)):
                put(number)
            await asyncio.sleep(0)
            while waiting() > WAITING:  # noqa: ASYNC110  # neither of the two has an event for it
                await asyncio.sleep(0.001)
        end_s = await finished()
        return _Run(messages / (end_s - begun_s), 1e6 * (time.process_time() - begun_cpu_s) / messages)


async def _drive_outbox_alone(folder: Path, messages: int) -> float:
    """All in, then all out and acknowledged: messages a second."""
    outbox = Outbox(folder / "outbox.sqlite", _BOUNDS, _unix_s, _refuse_trouble)
    await outbox.open()
    queues = MessageQueues(outbox, _unix_s, QueueRules(backfill_per_s=1e9))
    more = asyncio.Event()
    queues.on_more = more.set
    message = _encode(0)
    begun_s = time.monotonic()
    for number in range(messages):
        queues.put(message)
        if number % CHUNK == 0:
            await asyncio.sleep(0)
    queues.connect()
    while queues.counts().waiting:
        outgoing = queues.take()
        if outgoing is None:
            more.clear()
            async with asyncio.timeout(END_S):
                await more.wait()
        else:
            queues.acknowledge(outgoing)
    await outbox.close()  # the last commit counts
    took_s = time.monotonic() - begun_s
    if outbox.written < messages * WRITTEN_LIMIT_PCT / 100.0:
        raise LocalError(f"only {outbox.written} of {messages} messages went through the file: the figure would be one of memory")
    return messages / took_s


def _drive_ack_queue_alone(folder: Path, messages: int) -> float:
    queue = AckQueuePath.make_queue(folder)
    message = _encode(0)
    begun_s = time.monotonic()
    for _ in range(messages):
        queue.put(message)
    for _ in range(messages):
        queue.ack(queue.get())
    return messages / (time.monotonic() - begun_s)


@asynccontextmanager
async def _counting(port: int, messages: int) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """A subscriber in a process of its own; what is yielded waits for all messages and returns the monotonic time of the last."""
    module = "wavewrap_gateway.bench.subscriber"
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, str(port), TOPIC, str(messages), stdout=PIPE)
    stdout = process.stdout
    assert stdout is not None  # it was asked for

    async def finished() -> float:
        async with asyncio.timeout(END_S):
            return float((await stdout.readline()).split()[1])

    try:
        async with asyncio.timeout(END_S):
            await stdout.readline()
        yield finished
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _encode(number: int) -> Message:
    return encode_message("wavewrap", "wrap_telemetry", _telemetry(number), "bench")


def _unix_s() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)


def _refuse_trouble(trouble: Trouble) -> None:
    raise LocalError(trouble.text)
