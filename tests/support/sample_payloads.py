"""Payloads for tests of the way to the broker."""

from collections.abc import Iterable

from wavewrap_protocol.payloads import BridgeEvent, BridgeHealth, Histogram, MqttCounts, OutboxHealth, Quantiles, Telemetry, WrapEvent

TELEMETRY_PATH = "wavewrap/left/telemetry"

BATCH = 5
"""Samples in :func:`telemetry`."""


def event(seq: int, text: str = "text") -> BridgeEvent:
    """An event of the gateway."""
    return BridgeEvent(gateway="g", gateway_boot=1, seq=seq, unix_s=0.0, kind="test", text=text)


def telemetry(number: int, wrap: str = "left") -> Telemetry:
    """Batch ``number``; their samples follow each other."""
    columns = [[float(chamber)] * BATCH for chamber in range(4)]
    return Telemetry(
        gateway="g", wrap=wrap, boot_id=257, seq=number * BATCH, tick=0, period_ms=20, replay=False, unix_s=None, pressure_mmhg=columns
    )


def health() -> BridgeHealth:
    """What a gateway says of itself."""
    zero = Quantiles(p50=0.0, p99=0.0, max=0.0)
    return BridgeHealth(
        gateway="g",
        gateway_boot=1,
        seq=1,
        uptime_s=1.0,
        host_lateness_ms=zero,
        host_lateness=Histogram(bounds_ms=[], counts=[0]),
        mqtt=MqttCounts(published=0, acknowledged=0, dropped=0),
        outbox=OutboxHealth(store="memory", rows=0, size_bytes=0, oldest_s=None, dropped={}),
    )


def wrap_event(seq: int) -> WrapEvent:
    """An event of the left wrap."""
    return WrapEvent(gateway="g", gateway_boot=1, wrap="left", boot_id=257, seq=seq, unix_s=0.0, kind="test", text="text")


def batches(bodies: Iterable[bytes]) -> list[Telemetry]:
    """Telemetry as it came."""
    return [Telemetry.model_validate_json(body) for body in bodies]


def seqs(bodies: Iterable[bytes]) -> list[int]:
    """Numbers of the events that came."""
    return [BridgeEvent.model_validate_json(body).seq for body in bodies]
