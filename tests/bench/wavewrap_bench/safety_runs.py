"""Which runs a safety campaign makes: kinds, presets, moments, all from one seed. Batches are fixed, so any of them can be played again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavewrap_board.board import Board
from wavewrap_gateway.adapters.program_files import load_program, preset_names
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.core.wave import Wave, compile_wave
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.payloads import Side
from wavewrap_sim.fault_draw import draw_fault
from wavewrap_sim.faults import KINDS, PERSON_KINDS, Fault

__all__ = ["DISTURBANCES", "FAULT_KINDS", "Batch", "Run", "find_batch", "make_batches", "make_short_batches"]

DISTURBANCES = frozenset({"limb_movement", "warming_air"})
"""No faults; every run has both."""

FAULT_KINDS = tuple(kind for kind in KINDS if kind not in DISTURBANCES | PERSON_KINDS)

BATCH_RUNS = 64
"""Choice: the plant's cost a wrap falls little beyond."""

CYCLES_BEFORE = 2.0
"""A fault begins within so many cycles: one at each of the two eased levels, and at rest."""

CYCLES_AFTER = 1.15
"""And the session goes on for so many after it, so that each part is used again."""

CYCLES_AFTER_LEAK = 3.15
"""A leak too small to show in one short hold is told by two whole compressions in a row."""

APART_S = 8.0
"""The second fault of a pair begins within this of the first one, before or after."""


@dataclass(frozen=True, slots=True)
class Run:
    """One session on one scattered wrap. ``run_id`` tells the batch and the place in it."""

    run_id: str
    program: str
    side: Side
    wave: Wave
    faults: tuple[Fault, ...]
    session_id: int

    @property
    def onset_s(self) -> float:
        """When the first fault begins, seconds after power on; infinity without one."""
        return min((fault.at_s for fault in self.faults), default=float("inf"))


@dataclass(frozen=True, slots=True)
class Batch:
    """Runs that are played together; the same ``seed`` gives the same plants, noise and runs."""

    name: str
    seed: tuple[int, ...]
    runs: tuple[Run, ...]


def _programs(board: Board) -> list[tuple[str, Program]]:
    chambers = len(board.chambers)
    return [(name, load_program(name, chambers)) for name in preset_names()]


def make_batches(board: Board, seed: int, singles: int, doubles: int, quiet_h: float) -> list[Batch]:
    """The whole campaign, the longest batches first."""
    programs = _programs(board)
    batches = _quiet(board, seed, programs, quiet_h)
    batches += _faulty(board, seed, programs, "single", singles, 1)
    return batches + _faulty(board, seed, programs, "double", doubles, 2)


def make_short_batches(board: Board, seed: int) -> list[Batch]:
    """One batch with every kind in turn, two pairs a preset and a short fault-free session a preset."""
    programs = _programs(board)
    rng = np.random.default_rng((seed, 99))
    runs = [_faulty_run(board, rng, f"short-{at:02d}", programs[at % len(programs)], (kind,)) for at, kind in enumerate(FAULT_KINDS)]
    runs += [
        _faulty_run(board, rng, f"short-{len(runs) + at:02d}", programs[at % len(programs)], _pair(rng)) for at in range(2 * len(programs))
    ]
    runs += [_quiet_run(board, rng, f"short-{len(runs) + at:02d}", each, 120.0) for at, each in enumerate(programs)]
    return [Batch("short", (seed, 99), tuple(runs))]


def _quiet(board: Board, seed: int, programs: Sequence[tuple[str, Program]], quiet_h: float) -> list[Batch]:
    rng = np.random.default_rng((seed, 0))
    runs: list[Run] = []
    played_s = 0.0
    while played_s < quiet_h * 3600.0:
        name, program = programs[len(runs) % len(programs)]
        runs.append(_quiet_run(board, rng, "", (name, program), program.duration_s))
        played_s += runs[-1].wave.duration_s
    # Sessions of one length together, so that no wrap waits for another.
    runs.sort(key=lambda run: -run.wave.duration_s)
    return _cut("quiet", (seed, 0), runs, max(8, min(32, (len(runs) + 1) // 2)))


def _quiet_run(board: Board, rng: np.random.Generator, run_id: str, named: tuple[str, Program], for_s: float) -> Run:
    name, program = named
    side = _side(rng)
    return Run(run_id, name, side, compile_wave(program, side, len(board.chambers), for_s), (), _session_id(rng))


def _faulty(board: Board, seed: int, programs: Sequence[tuple[str, Program]], name: str, count: int, faults: int) -> list[Batch]:
    rng = np.random.default_rng((seed, faults))
    runs = []
    for at in range(count):
        # Every kind meets each preset in turn.
        kinds = (FAULT_KINDS[at % len(FAULT_KINDS)],) if faults == 1 else _pair(rng)
        runs.append(_faulty_run(board, rng, "", programs[(at // len(FAULT_KINDS) + at % len(FAULT_KINDS)) % len(programs)], kinds))
    runs.sort(key=lambda run: run.onset_s)
    return _cut(name, (seed, faults), runs, BATCH_RUNS)


def _faulty_run(board: Board, rng: np.random.Generator, run_id: str, named: tuple[str, Program], kinds: Sequence[str]) -> Run:
    name, program = named
    side, chambers = _side(rng), len(board.chambers)
    cycle_s = compile_wave(program, side, chambers).cycle_s
    first = draw_fault(kinds[0], rng, board, CYCLES_BEFORE * cycle_s)
    faults = [first]
    for kind in kinds[1:]:
        second = draw_fault(kind, rng, board, 0.0)
        at_s = 0.0 if kind == "poor_fit" else max(0.0, round(first.at_s + float(rng.uniform(-APART_S, APART_S)), 2))
        faults.append(second.model_copy(update={"at_s": at_s}))
    last_s = max(fault.at_s for fault in faults)
    after = CYCLES_AFTER_LEAK if "leak" in kinds else CYCLES_AFTER
    cycles = int(np.ceil(last_s / cycle_s + after))
    wave = compile_wave(program, side, chambers, cycles * cycle_s)
    return Run(run_id, name, side, wave, tuple(faults), _session_id(rng))


def _pair(rng: np.random.Generator) -> tuple[str, str]:
    first, second = rng.choice(len(FAULT_KINDS), 2, replace=False)
    return FAULT_KINDS[first], FAULT_KINDS[second]


def _side(rng: np.random.Generator) -> Side:
    return (Side.LEFT, Side.RIGHT)[int(rng.integers(2))]


def _session_id(rng: np.random.Generator) -> int:
    return int(rng.integers(1, 1 << 31))


def _cut(name: str, seed: tuple[int, ...], runs: Sequence[Run], size: int) -> list[Batch]:
    batches = []
    for number, start in enumerate(range(0, len(runs), size)):
        label = f"{name}{number:02d}"
        part = [
            Run(f"{label}-{at:02d}", run.program, run.side, run.wave, run.faults, run.session_id)
            for at, run in enumerate(runs[start : start + size])
        ]
        batches.append(Batch(label, (*seed, number), tuple(part)))
    return batches


def find_batch(batches: Sequence[Batch], run_id: str) -> Batch:
    """The batch that ``run_id`` is in. Raises :class:`UsageError`."""
    for batch in batches:
        if any(run.run_id == run_id for run in batch.runs):
            return batch
    raise UsageError(f"there is no run {run_id}: take the id of a run that this campaign has named, with its --seed and --runs")
