"""Sessions to keep in a history: heads, frames, events and steps, made by hand."""

import os
from collections.abc import Iterator

import numpy as np

from tests.support.programs import make_program
from wavewrap_gateway.core.history import RecordedEvent, RecordedFrame, RecordedStep, RecordedWrap, RecordState, SessionEnd, SessionHead
from wavewrap_gateway.core.timeline import ScheduledStep
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_protocol.enums import StepOutcome
from wavewrap_protocol.payloads import Side

__all__ = ["BEGUN_UNIX_S", "CHAMBERS", "FRAME_SAMPLES", "make_end", "make_event", "make_frames", "make_head", "make_steps"]

BEGUN_UNIX_S = 1_700_000_000.0
CHAMBERS = 4
FRAME_SAMPLES = 10
PERIOD_MS = 20
FIRST_SEQ, FIRST_TICK = 1_000, 4_294_960_000
"""Not 0, and so near the end of the device's 32 bits that it wraps soon."""


def make_head(
    session_id: str = "20231114-221320-abcdef", *, gateway: str = "attic", pid: int | None = None, started_s: float = 0.0
) -> SessionHead:
    """A session of two wraps that begins ``started_s`` after :data:`BEGUN_UNIX_S`, recorded by process ``pid`` (this one's where None)."""
    wraps = tuple(RecordedWrap(f"wrap-{side}", f"S-{side}", side, "WR-4", "0.1.0", CHAMBERS, 7) for side in Side)
    return SessionHead(
        session_id,
        0xBEEF,
        gateway,
        "0.0.0",
        os.getpid() if pid is None else pid,
        BEGUN_UNIX_S,
        make_program(),
        60.0,
        80.0,
        BEGUN_UNIX_S + started_s,
        wraps,
    )


def make_frames(head: SessionHead, seconds: float, *, seed: int = 1, wraps: int = 2) -> Iterator[RecordedFrame]:
    """Frames of every wrap in turn: 50 Hz, ramps, holds and the noise of a sensor."""
    rng = np.random.default_rng(seed)
    for at in range(round(seconds * 1000 / PERIOD_MS / FRAME_SAMPLES)):
        time_s = (at * FRAME_SAMPLES + np.arange(FRAME_SAMPLES)) * PERIOD_MS / 1000.0
        level = np.clip((time_s[:, None] - 3.0 * np.arange(CHAMBERS)) % 40.0, 0.0, 3.0) * 20.0
        for wrap in range(wraps):
            rows = np.rint((level + rng.normal(0.0, 0.14, level.shape)) * 100.0).astype(int)
            yield RecordedFrame(
                head.session_id,
                wrap,
                3,
                FIRST_SEQ + at * FRAME_SAMPLES,
                FIRST_TICK + at * FRAME_SAMPLES * PERIOD_MS * 10,
                PERIOD_MS,
                (1 << CHAMBERS) - 1,
                False,
                head.started_unix_s + float(time_s[0]),
                tuple(map(tuple, rows.tolist())),
            )


def make_event(head: SessionHead, seq: int, wrap: str = "wrap-left") -> RecordedEvent:
    """Event number ``seq`` of a wrap."""
    return RecordedEvent(head.session_id, wrap, seq, head.started_unix_s + seq, "device_state", f"number {seq}", 7, FIRST_TICK + seq)


def make_steps(head: SessionHead, wrap: int = 0) -> list[RecordedStep]:
    """Every step of the program, carried out on time."""
    wave = compile_wave(head.program, head.wraps[wrap].side, CHAMBERS, head.planned_s)
    steps: list[RecordedStep] = []
    for number, step in enumerate(wave.steps):
        tick = FIRST_TICK + round(step.at_s * 10_000)
        done = ScheduledStep(step, step.at_s, number, step.at_s, tick, 0.001, StepOutcome.EXECUTED, tick)
        steps.append(RecordedStep.of(head.session_id, wrap, number, done))
    return steps


def make_end(head: SessionHead, state: RecordState = RecordState.COMPLETED) -> SessionEnd:
    """It ends after a minute, without a summary."""
    return SessionEnd(head.session_id, state, "the program is over", head.started_unix_s + 60.0, None)
