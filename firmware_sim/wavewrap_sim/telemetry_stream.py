"""Samples at 50 Hz since boot: into the ring always, into live frames while the stream is on, and again as a paced replay."""

from collections import deque

from wavewrap_protocol.enums import DeviceState, Result
from wavewrap_protocol.limits import SAMPLE_PERIOD_MS
from wavewrap_protocol.reports import Telemetry, frame_wait_ticks
from wavewrap_protocol.units import TICK_MODULUS, TICKS_PER_S
from wavewrap_sim.firmware_config import FirmwareConfig
from wavewrap_sim.record_ring import RecordRing, Sample

__all__ = ["TelemetryStream"]

_PERIOD_TICK = SAMPLE_PERIOD_MS * TICKS_PER_S // 1000
_SEQUENCES = 1 << 32

Frame = tuple[int, bytes]
"""Ticks to hold the frame back, and its bytes."""


class TelemetryStream:
    """The samples of one boot, the first at ``boot_count``."""

    def __init__(self, config: FirmwareConfig, boot_id: int, boot_count: int) -> None:
        self._config = config
        self._epoch = boot_id & 0xFF
        self._boot_count = boot_count
        self._mask = (1 << config.chambers) - 1
        self._ring = RecordRing(config.ring_s * 1000 // SAMPLE_PERIOD_MS)
        self._last_seq = -1
        self._payload_bytes = 0
        self._wanted = 0
        self._batch = 0
        self._waiting: list[Sample] = []
        self._replays: deque[tuple[Sample, ...]] = deque()

    def set_payload(self, payload_bytes: int) -> None:
        """The link now carries ``payload_bytes`` a frame; 0 is no link and ends the stream.

        A replay whose frames no longer fit ends too: its samples stay in the ring.
        """
        if payload_bytes < self._payload_bytes:
            self._replays.clear()
        self._payload_bytes = payload_bytes
        if payload_bytes == 0:
            self._wanted = 0
        fitting = Telemetry.capacity(payload_bytes, self._config.chambers)
        self._batch = min(self._wanted, fitting)
        if self._batch == 0:
            self._waiting.clear()

    def switch(self, enabled: bool, batch: int) -> tuple[Result, int]:
        """Stream on, ``batch`` samples a frame (0: our choice), or off. The detail is the batch in use."""
        self._waiting.clear()
        if not enabled:
            self._wanted = self._batch = 0
            return Result.OK, 0
        wanted = min(batch or self._config.batch, self._config.batch_max)
        fitting = Telemetry.capacity(self._payload_bytes, self._config.chambers)
        if fitting == 0:
            return Result.OUT_OF_RANGE, 0
        self._wanted = wanted
        self._batch = min(wanted, fitting)
        return Result.OK, self._batch

    def replay(self, epoch: int, first_seq: int, last_seq: int) -> tuple[Result, int]:
        """Queue the samples to be sent again. The detail counts them."""
        longest = Telemetry.capacity(self._payload_bytes - Telemetry.CRC_SIZE, self._config.chambers)
        if first_seq > last_seq or longest == 0:
            return Result.OUT_OF_RANGE, 0
        runs = self._ring.runs(first_seq, last_seq, longest) if epoch == self._epoch else []
        # A gateway that asks faster than the link carries must not fill the memory: a whole ring waits at the most.
        waiting = sum(map(len, self._replays))
        count = sum(map(len, runs))
        if not runs or (self._replays and waiting + count > self._config.ring_s * 1000 // SAMPLE_PERIOD_MS):
            return Result.NOT_AVAILABLE, 0
        self._replays.extend(runs)
        return Result.OK, count

    def sample(self, count: int, state: DeviceState, row_cmmhg: tuple[int, ...]) -> list[Frame]:
        """Called every control tick: samples when one is due. The frames to send, at most one of them of a replay.

        One replayed frame every control tick is a choice: it leaves the air to live data.
        """
        frames: list[Frame] = []
        seq = (count - self._boot_count) // _PERIOD_TICK
        if seq > self._last_seq:
            sample = Sample(seq % _SEQUENCES, (self._boot_count + seq * _PERIOD_TICK) % TICK_MODULUS, row_cmmhg)
            self._ring.append(sample)
            if self._batch:
                if seq != self._last_seq + 1:
                    frames += self._live(state, least=1)
                self._waiting.append(sample)
                frames += self._live(state, least=self._batch)
            self._last_seq = seq
        if self._replays:
            frames.append(self._frame(state, self._replays.popleft(), replay=True))
        return frames

    def _live(self, state: DeviceState, least: int) -> list[Frame]:
        frames = []
        while len(self._waiting) >= least:
            frames.append(self._frame(state, tuple(self._waiting[: self._batch]), replay=False))
            del self._waiting[: self._batch]
        return frames

    def _frame(self, state: DeviceState, samples: tuple[Sample, ...], *, replay: bool) -> Frame:
        first = samples[0]
        rows = tuple(sample.row_cmmhg for sample in samples)
        data = Telemetry(self._epoch, state, replay, first.seq, first.tick, SAMPLE_PERIOD_MS, self._mask, rows).encode()
        return (0 if replay else frame_wait_ticks(first.seq)), data
