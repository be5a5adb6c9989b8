"""Samples as compressed columns: the frames of one wrap that follow each other become one chunk.

A chunk's bytes: int16 columns, one a channel, each as its first value and then differences (modulo 2^16, so nothing overflows); all low
bytes, then all high bytes; zlib. Differences of a pressure at 50 Hz are mostly noise of a few 0.01 mmHg, so the high bytes cost next to
nothing. Pure; not responsible for where chunks are kept.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavewrap_gateway.core.history import RecordedFrame
from wavewrap_protocol.errors import StoreError
from wavewrap_protocol.units import TICKS_PER_S

__all__ = ["SampleChunk", "gather_chunks", "pack_samples", "unpack_samples"]

LEVEL = 6
"""Of zlib. Choice: 9 saves less than 1 % more on pressures and takes twice as long."""

TICKS_PER_MS = TICKS_PER_S // 1000

_REMEDY = "something else has written to the history; take a copy of it that is older"

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class SampleChunk:
    """``count`` samples that follow each other, of wrap number ``wrap``; ``data`` as :func:`pack_samples` makes it."""

    session_id: str
    wrap: int
    epoch: int
    first_seq: int
    tick: int
    period_ms: int
    mask: int
    replay: bool
    count: int
    unix_s: float | None
    data: bytes

    def samples_cmmhg(self) -> Samples:
        """Shape (samples, channels). Raises :class:`StoreError`."""
        return unpack_samples(self.data, self.count, self.mask.bit_count())


def pack_samples(samples_cmmhg: Samples) -> bytes:
    """``samples_cmmhg`` has shape (samples, channels)."""
    columns = samples_cmmhg.astype(np.int16).T.view(np.uint16)
    steps = np.diff(columns, axis=1, prepend=np.zeros((len(columns), 1), np.uint16))
    # The sign moves into the lowest bit: small steps either way have a high byte of 0.
    signed = steps.view(np.int16)
    folded = ((signed << 1) ^ (signed >> 15)).view(np.uint16)
    return zlib.compress((folded & 0xFF).astype(np.uint8).tobytes() + (folded >> 8).astype(np.uint8).tobytes(), LEVEL)


def unpack_samples(data: bytes, count: int, channels: int) -> Samples:
    """What :func:`pack_samples` was given. Raises :class:`StoreError` for bytes that are not ``count`` samples of ``channels``."""
    values = count * channels
    inflater = zlib.decompressobj()
    try:
        # One byte more than expected shows that there are too many; a forged blob cannot fill the memory.
        flat = inflater.decompress(data, 2 * values + 1)
    except zlib.error as cause:
        raise StoreError(f"a chunk of {count} samples is damaged ({cause}): {_REMEDY}") from cause
    if len(flat) != 2 * values or not inflater.eof:
        raise StoreError(f"a chunk holds not {count} samples of {channels} channels: {_REMEDY}")
    planes = np.frombuffer(flat, np.uint8).astype(np.uint16)
    folded = (planes[:values] | (planes[values:] << 8)).reshape(channels, count)
    steps = (folded >> 1) ^ (-(folded & 1).astype(np.int16)).view(np.uint16)
    return np.ascontiguousarray(np.cumsum(steps, axis=1, dtype=np.uint16).view(np.int16).T)


def gather_chunks(frames: Iterable[RecordedFrame]) -> Iterator[SampleChunk]:
    """Chunks of ``frames``, in order; frames of one wrap are joined as long as each goes on where the one before ended."""
    by_wrap: dict[tuple[str, int], list[RecordedFrame]] = {}
    for frame in frames:
        run = by_wrap.setdefault((frame.session_id, frame.wrap), [])
        if run and not _follows(run[-1], frame):
            yield _join(run)
            run.clear()
        run.append(frame)
    for run in by_wrap.values():
        yield _join(run)


def _follows(before: RecordedFrame, frame: RecordedFrame) -> bool:
    samples = len(before.samples_cmmhg)
    return (
        (before.epoch, before.period_ms, before.mask, before.replay) == (frame.epoch, frame.period_ms, frame.mask, frame.replay)
        and frame.seq == before.seq + samples
        and frame.tick == before.tick + samples * before.period_ms * TICKS_PER_MS
    )


def _join(run: list[RecordedFrame]) -> SampleChunk:
    first = run[0]
    rows = np.array([row for frame in run for row in frame.samples_cmmhg], dtype=np.int16)
    return SampleChunk(
        first.session_id,
        first.wrap,
        first.epoch,
        first.seq,
        first.tick,
        first.period_ms,
        first.mask,
        first.replay,
        len(rows),
        first.unix_s,
        pack_samples(rows),
    )
