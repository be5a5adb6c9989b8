"""``bench plant``: the plant's error against scipy's Radau on the same inputs, and how much faster than time it runs.

Errors depend on no machine; speeds are processor time of one core. The machine, and whether the plant's kernel was compiled, stand in the
report; the plain kernel is measured beside a compiled one, because it is what runs where numba is not installed.
"""

from collections.abc import Sequence
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavewrap_bench.plant_reference import integrate_reference
from wavewrap_bench.plant_wave import CHAMBERS, GRID_S, Segment, make_wave, play
from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine
from wavewrap_sim.compiled import Kernel, fastest_kernel, plain_kernel
from wavewrap_sim.from_board import plant_of
from wavewrap_sim.plant_parameters import PlantParameters
from wavewrap_sim.pneumatics import MAX_SUBSTEP_S, Plant

__all__ = ["ERROR_MAX_MMHG", "bench_plant", "measure_errors", "measure_speed"]

ERROR_MAX_MMHG = 0.02
"""Of a chamber at steps of 1 ms."""

STEP_S = 1e-3

ERROR_STEPS_S = (1e-3, 2e-3, MAX_SUBSTEP_S, 5e-3)

SPEEDS = ((1, 10.0, 60.0), (100, 5.0, 6.0), (10_000, None, 0.5))
"""Wraps, the least simulated seconds a second at steps of 1 ms, and simulated seconds to measure."""

PLAIN_S = 1.0
"""Simulated seconds of one wrap by the plain kernel."""

REPEATS = 3

SCATTER = 0.3


def bench_plant(seed: int = 1) -> BenchReport:
    """The minute of :func:`wavewrap_bench.plant_wave.make_wave`, and the speeds. Raises :class:`ArithmeticError` where Radau gives up."""
    kernel = fastest_kernel()
    wrap = plant_of(load_board(REFERENCE_BOARD))
    wave = make_wave()
    errors = measure_errors(wrap, wave, ERROR_STEPS_S)
    speeds = [row for wraps, limit, seconds in SPEEDS for row in measure_speed(wrap, seed, kernel, wraps, seconds, limit)]
    if kernel.is_compiled:
        speeds += measure_speed(wrap, seed, plain_kernel(), 1, PLAIN_S, None)
    checks: list[Check] = []
    for row in errors:
        step_ms = 1e3 * row["step_s"]
        limit = ERROR_MAX_MMHG if row["step_s"] == STEP_S else None
        checks.append(Check(name=f"chambers, {step_ms:g} ms steps, max", value=row["max_mmhg"], unit="mmHg", limit=limit, better="lower"))
        manifold = row["manifold_max_mmhg"]
        checks.append(Check(name=f"manifold, {step_ms:g} ms steps, max", value=manifold, unit="mmHg", limit=None, better="lower"))
    for row in speeds:
        count = "1 wrap" if row["wraps"] == 1 else f"{row['wraps']} wraps"
        form = ", plain kernel" if kernel.is_compiled and not row["compiled"] else ""
        name = f"{count}, {1e3 * row['step_s']:g} ms steps{form}"
        checks.append(Check(name=name, value=row["x_real_time"], unit="x real time", limit=row["limit"], better="higher"))
    details: dict[str, Any] = {"seed": seed, "errors": errors, "speeds": speeds}
    return BenchReport(bench="plant", machine={**describe_machine(), "plant_kernel": kernel.form}, checks=checks, details=details)


def measure_errors(wrap: PlantParameters, wave: list[Segment], steps_s: Sequence[float]) -> list[dict[str, Any]]:
    """For each step the largest error over all chambers, its 99th percentile, where it was, and the manifold's, in mmHg."""
    true_mmhg, true_manifold_mmhg = integrate_reference(wrap, wave)
    names = [segment.name for segment in wave for _ in range(round(segment.duration_s / GRID_S))]
    rows = []
    for step_s in steps_s:
        pressure_mmhg, manifold_mmhg = play(Plant([wrap], step_s), wave)
        error_mmhg = np.abs(pressure_mmhg - true_mmhg).max(axis=1)
        manifold_error_mmhg = np.abs(manifold_mmhg - true_manifold_mmhg)
        rows.append(
            {
                "step_s": step_s,
                "max_mmhg": float(error_mmhg.max()),
                "p99_mmhg": float(np.quantile(error_mmhg, 0.99)),
                "during": names[int(error_mmhg.argmax())],
                "manifold_max_mmhg": float(manifold_error_mmhg.max()),
                "manifold_p99_mmhg": float(np.quantile(manifold_error_mmhg, 0.99)),
            }
        )
    return rows


def measure_speed(
    wrap: PlantParameters, seed: int, kernel: Kernel, wraps: int, seconds: float, limit: float | None
) -> list[dict[str, Any]]:
    """Simulated seconds a second of processor time, at steps of 1 ms and at the simulator's own, commands every 10 ms.

    Each of the wraps is scattered, and each plays a wave of its own phase: one chamber after the other, hold, vent. The best of
    :data:`REPEATS`, because what else runs on the machine can only take away. ``limit`` is held at steps of 1 ms.
    """
    rng = np.random.default_rng(seed)
    distinct = [wrap.scattered(rng, SCATTER) for _ in range(min(wraps, 100))]
    parameters = [distinct[at % len(distinct)] for at in range(wraps)]
    phase = rng.integers(0, 300, wraps)
    rows = []
    for step_s in (STEP_S, MAX_SUBSTEP_S):
        spent_s = min(_time_wave(parameters, phase, kernel, step_s, seconds) for _ in range(REPEATS))
        held = limit if step_s == STEP_S else None
        rows.append({"wraps": wraps, "step_s": step_s, "x_real_time": seconds / spent_s, "limit": held, "compiled": kernel.is_compiled})
    return rows


def _time_wave(parameters: Sequence[PlantParameters], phase: NDArray[np.int64], kernel: Kernel, step_s: float, seconds: float) -> float:
    """Processor seconds that ``seconds`` of the wave take."""
    plant = Plant(parameters, step_s, kernel)
    spent_s = 0.0
    for tick in range(round(seconds / GRID_S)):
        moment = (tick + phase) % 300 // 50
        filling = moment < CHAMBERS
        inlets = moment[:, None] == np.arange(CHAMBERS)
        vents = np.repeat((moment == CHAMBERS + 1)[:, None], CHAMBERS, axis=1)
        begun_s = process_time()
        plant.step(GRID_S, filling.astype(np.float64), inlets, vents, ~filling)
        spent_s += process_time() - begun_s
    return spent_s
