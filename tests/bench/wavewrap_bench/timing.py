"""``bench timing``: when steps really happen, four methods on the same seeds and radios, in virtual time; then a minute in real time.

What is judged is the simulator's own log in true host time. Same seed, same table: nothing in the virtual part depends on the machine.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from wavewrap_bench.timing_methods import METHODS, play
from wavewrap_gateway.bench.host import measure_host
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine
from wavewrap_protocol.errors import LinkError
from wavewrap_sim.scenario import Scenario, load_scenario
from wavewrap_sim.virtual_time import run_virtual

__all__ = ["Spread", "TimingRow", "bench_timing"]

STEPS = 7_500
"""A wrap; two wraps make 15,000 a cell."""

PERIOD_QUEUED_S = 0.05
PERIOD_WRITTEN_S = 0.1
"""A write waits for its answer, up to two intervals and a lost event: ten a second is what a plain script can keep up."""

RATIO_FROM = 50.0
"""How much better than today's practice at p99.9, on a lossy radio."""

REAL_S = 60

LIMITS_MS: dict[str, tuple[float, float, float, float]] = {
    "clean": (0.5, 1.5, 2.0, 1.5),
    "household": (0.7, 2.0, 3.0, 2.0),
    "crowded-gym": (0.9, 2.5, 3.5, 2.5),
}
"""By scenario: error p50, p99, p99.9, and skew p99."""

LOSSY = ("household", "crowded-gym")

WORKERS = 2


class Spread(BaseModel):
    """Quantiles of an absolute error in ms."""

    model_config = ConfigDict(frozen=True)
    p50: float
    p99: float
    p999: float
    max: float


class TimingRow(BaseModel):
    """One method on one radio. ``late`` steps were refused or released late, ``missed`` ones never ran."""

    model_config = ConfigDict(frozen=True)
    name: str
    method: str
    error_ms: Spread
    skew_ms: Spread
    steps: int
    late: int
    missed: int
    slips: int


def spread(values_s: Sequence[float]) -> Spread:
    """Quantiles of the magnitudes of ``values_s``, in ms; all 0 for none."""
    if not values_s:
        return Spread(p50=0.0, p99=0.0, p999=0.0, max=0.0)
    p50, p99, p999, most = np.percentile(np.abs(np.array(values_s)) * 1000.0, [50, 99, 99.9, 100])
    return Spread(p50=round(float(p50), 4), p99=round(float(p99), 4), p999=round(float(p999), 4), max=round(float(most), 4))


def run_cell(scenario: Scenario, method: str, seed: int, steps: int) -> TimingRow:
    """One cell of the table, in virtual time."""
    period_s = PERIOD_QUEUED_S if method in ("ntp_queue", "ours") else PERIOD_WRITTEN_S
    played = run_virtual(play(scenario, method, seed, steps, period_s))
    errors_s = [error_s for errors in played.errors_s.values() for error_s in errors]
    skews_s = [max(errors) - min(errors) for errors in played.errors_s.values() if len(errors) > 1]
    return TimingRow(
        name=scenario.name,
        method=method,
        error_ms=spread(errors_s),
        skew_ms=spread(skews_s),
        steps=played.steps,
        late=played.late,
        missed=played.missed,
        slips=played.slips,
    )


async def bench_timing(
    paths: Sequence[Path], seed: int = 1, steps: int = STEPS, *, real_time: bool = True, plot: Path | None = None
) -> BenchReport:
    """Every method in every scenario of ``paths``. Raises :class:`wavewrap_protocol.errors.UsageError` for a bad scenario file."""
    scenarios = [load_scenario(path) for path in paths]
    cells = [(scenario, method) for scenario in scenarios for method in METHODS]
    rows: list[TimingRow] = []
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        work = [loop.run_in_executor(pool, run_cell, scenario, method, seed, steps) for scenario, method in cells]
        for row in work:
            rows.append(await row)
            _tell(rows[-1])
    real = await _play_real_minute(paths) if real_time else None
    host = await measure_host() if real_time else []
    if plot is not None:
        from wavewrap_bench.timing_plot import draw_timing  # matplotlib takes its time to load

        draw_timing(rows, host, plot)
    details: dict[str, Any] = {
        "seed": seed,
        "scenarios": [row.model_dump() for row in rows],
        "host": [row.model_dump() for row in host],
        "real_time": real,
    }
    return BenchReport(bench="timing", machine=describe_machine(), checks=[*_checks(rows), *_real_checks(real)], details=details)


def _tell(row: TimingRow) -> None:
    error = " ".join(f"{value:8.2f}" for value in row.error_ms.model_dump().values())
    skew = f"skew p99 {row.skew_ms.p99:7.2f} ms"
    counts = f"{row.steps} steps, {row.late} late, {row.missed} missed, {row.slips} slips"
    print(f"{row.name:<16}{row.method:<16}p50/p99/p99.9/max {error} ms   {skew}   {counts}", file=sys.stderr, flush=True)


def _checks(rows: Sequence[TimingRow]) -> list[Check]:
    checks: list[Check] = []
    for row in rows:
        if row.method != "ours" or row.name not in LIMITS_MS:
            continue
        p50_ms, p99_ms, p999_ms, skew_ms = LIMITS_MS[row.name]
        for what, value, limit in (
            ("error p50", row.error_ms.p50, p50_ms),
            ("error p99", row.error_ms.p99, p99_ms),
            ("error p99.9", row.error_ms.p999, p999_ms),
            ("skew p99", row.skew_ms.p99, skew_ms),
        ):
            checks.append(Check(name=f"{row.name}: {what}", value=value, unit="ms", limit=limit, better="lower"))
        checks.append(Check(name=f"{row.name}: late or missed", value=row.late + row.missed, unit="steps", limit=0.0, better="lower"))
        plain = next(other for other in rows if other.name == row.name and other.method == "write_at_t")
        if row.name in LOSSY:
            ratio = plain.error_ms.p999 / row.error_ms.p999
            checks.append(Check(name=f"{row.name}: write_at_t / ours, p99.9", value=ratio, unit="", limit=RATIO_FROM, better="higher"))
    return checks


async def _play_real_minute(paths: Sequence[Path]) -> dict[str, Any]:
    """``wavewrap demo`` for a minute in the first scenario that is lossy, or the first."""
    path = next((path for path in paths if load_scenario(path).name in LOSSY), paths[0])
    arguments = ["demo", "--for", str(REAL_S), "--scenario", str(path), "--json"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wavewrap_gateway", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await process.communicate()
    if not out:
        raise LinkError(f"the minute in real time failed: {errors.decode().strip().splitlines()[-1]}")
    summary = json.loads(out.splitlines()[-1])
    return {"scenario": str(path.name), "ended": summary["ended"], "wraps": summary["wraps"], "true_skew_ms": summary["true_skew_ms"]}


def _real_checks(real: dict[str, Any] | None) -> list[Check]:
    if real is None:
        return []
    late = sum(wrap["steps"]["late"] for wrap in real["wraps"])
    worst_ms = max(wrap["true_timing_ms"]["p99"] for wrap in real["wraps"])
    return [
        Check(name="real time: late", value=late, unit="steps", limit=0.0, better="lower"),
        Check(name="real time: true error p99", value=worst_ms, unit="ms", limit=None, better="lower"),
    ]
