"""What a history kept of one wrap, as curves again, and the books of its session rebuilt from them. Pure.

Samples are told apart by epoch and number: one that came live and in a replay is there once, and what is missing between is counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavewrap_gateway.core.account import SessionAccount
from wavewrap_gateway.core.history import RecordedStep
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.core.sample_chunks import TICKS_PER_MS, SampleChunk
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_protocol.errors import StoreError
from wavewrap_protocol.payloads import Side
from wavewrap_protocol.units import CMMHG_PER_MMHG, TICK_MODULUS, TICKS_PER_S

__all__ = ["RecordedCurves", "join_chunks", "rebuild_account"]

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RecordedCurves:
    """Samples of one wrap in the order in which they were taken; every array has their number as its first length.

    ``tick``: device ticks from boot, never wrapped; ``line_tick``: the same, going on over a restart of the wrap. ``unix_s``: wall time by
    the clock estimate of that moment, NaN where there was none. ``pressure_cmmhg``: shape (samples, chambers).
    """

    epoch: Integers
    seq: Integers
    tick: Integers
    line_tick: Integers
    unix_s: NDArray[np.float64]
    replayed: NDArray[np.bool_]
    pressure_cmmhg: NDArray[np.int16]
    missing: int

    def __len__(self) -> int:
        return len(self.seq)

    @property
    def pressure_mmhg(self) -> NDArray[np.float64]:
        """Shape (samples, chambers)."""
        return self.pressure_cmmhg / CMMHG_PER_MMHG

    def session_s(self, account: SessionAccount) -> NDArray[np.float64]:
        """Seconds of the session: from the planned start where ``account`` knows a step, else from the first sample."""
        steps = account.carried_out
        if steps and steps[0].actual_tick is not None:
            return (self.line_tick - steps[0].actual_tick) / TICKS_PER_S + steps[0].wave.at_s
        return (self.line_tick - self.line_tick[:1]) / TICKS_PER_S


def join_chunks(chunks: Sequence[SampleChunk], chambers: int) -> RecordedCurves:
    """The curves in ``chunks``, which stand in the order in which they were kept. Raises :class:`StoreError` for damaged ones."""
    # In the order in which a boot was first heard of; its number says nothing about time.
    epochs = list(dict.fromkeys(chunk.epoch for chunk in chunks))
    parts = [_read_epoch([chunk for chunk in chunks if chunk.epoch == epoch], chambers) for epoch in epochs]
    ticks_before, lines = 0, list[Integers]()
    for part in parts:
        lines.append(part.tick + ticks_before)
        ticks_before = int(lines[-1][-1])

    return RecordedCurves(
        np.concatenate([np.zeros(0, np.int64), *(part.epoch for part in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(part.seq for part in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(part.tick for part in parts)]),
        np.concatenate([np.zeros(0, np.int64), *lines]),
        np.concatenate([np.zeros(0), *(part.unix_s for part in parts)]),
        np.concatenate([np.zeros(0, np.bool_), *(part.replayed for part in parts)]),
        np.concatenate([np.zeros((0, chambers), np.int16), *(part.pressure_cmmhg for part in parts)]),
        sum(part.missing for part in parts),
    )


def _read_epoch(chunks: Sequence[SampleChunk], chambers: int) -> RecordedCurves:
    everything = (1 << chambers) - 1
    seqs, ticks, moments, replays, rows = [], [], [], [], []
    for chunk in chunks:
        if chunk.mask != everything:
            raise StoreError(
                f"a chunk has channels {chunk.mask:#04x} of a wrap of {chambers} chambers: this wavewrap reads whole rows only"
            )
        steps = np.arange(chunk.count)
        seqs.append(chunk.first_seq + steps)
        # Two runs of a gateway may have begun to count the device's 32 bits at different turns.
        behind = chunks[0].tick + (chunk.first_seq - chunks[0].first_seq) * chunk.period_ms * TICKS_PER_MS - chunk.tick
        ticks.append(chunk.tick + round(behind / TICK_MODULUS) * TICK_MODULUS + steps * chunk.period_ms * TICKS_PER_MS)
        moments.append((np.nan if chunk.unix_s is None else chunk.unix_s) + steps * chunk.period_ms / 1000.0)
        replays.append(np.full(chunk.count, chunk.replay))
        rows.append(chunk.samples_cmmhg())
    # The first of each number counts: what came live before what came again.
    seq, first = np.unique(np.concatenate(seqs), return_index=True)
    tick = np.concatenate(ticks)[first]
    return RecordedCurves(
        np.full(len(seq), chunks[0].epoch),
        seq,
        tick,
        tick,
        np.concatenate(moments)[first],
        np.concatenate(replays)[first],
        np.concatenate(rows)[first],
        int(seq[-1] - seq[0] + 1 - len(seq)),
    )


def rebuild_account(
    program: Program, side: Side, chambers: int, planned_s: float, curves: RecordedCurves, steps: Iterable[RecordedStep]
) -> SessionAccount:
    """The books of one wrap of a recorded session, as they were while it ran."""
    account = SessionAccount(compile_wave(program, side, chambers, planned_s))
    account.add_samples(curves.line_tick, curves.pressure_cmmhg)
    account.add_steps(step.restore() for step in steps)
    return account
