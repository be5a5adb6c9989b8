"""``wavewrap bench control``: both ways to hold a pressure, over plants that are off in every figure."""

import json
from typing import Annotated, get_args

import numpy as np
import typer

from wavewrap_bench.control_runs import TARGET_MMHG, ControlFigures, Method, measure_control
from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine, print_report

__all__ = ["bench_control", "control"]

PLANTS = 300
SPREAD_FRACTION = 0.3

INSIDE_S = 2.5
"""Median time until the pressure is within +/- 2 mmHg for good."""

OVERSHOOT_MMHG, QUIET_MMHG, MOVING_MMHG = 2.0, 1.6, 2.5
"""Of the 95th percentile over the plants."""


def bench_control(plants: int, seed: int) -> BenchReport:
    """The figures of both methods on the reference board, beside their limits."""
    board = load_board(REFERENCE_BOARD)
    measured = [measure_control(board, method, plants, seed, SPREAD_FRACTION) for method in get_args(Method)]
    details = {"board": board.name, "plants": plants, "spread_fraction": SPREAD_FRACTION, "target_mmhg": TARGET_MMHG, "seed": seed}
    return BenchReport(
        bench="control",
        machine=describe_machine(),
        checks=[check for figures in measured for check in check_figures(figures)],
        details=details,
    )


def check_figures(figures: ControlFigures) -> list[Check]:
    """One method's figures and their limits; what has none is there to compare wear."""

    def p95(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        return float(np.percentile(values, 95))

    method = figures.method
    rows: list[tuple[str, float, str, float | None]] = [
        ("inside +/- 2 mmHg for good, median", float(np.median(figures.inside_s)), "s", INSIDE_S),
        ("overshoot, p95", p95(figures.overshoot_mmhg), "mmHg", OVERSHOOT_MMHG),
        ("hold error quiet, p95", p95(figures.quiet_mmhg), "mmHg", QUIET_MMHG),
        ("hold error on a moving limb, p95", p95(figures.moving_mmhg), "mmHg", MOVING_MMHG),
        ("inlet and vent operations quiet, median", float(np.median(figures.quiet_operations)), "1/min", None),
        ("inlet and vent operations on a moving limb, median", float(np.median(figures.moving_operations)), "1/min", None),
        ("dump operations quiet, median", float(np.median(figures.dump_operations)), "1/min", None),
    ]
    return [Check(name=f"{method}: {name}", value=value, unit=unit, limit=limit, better="lower") for name, value, unit, limit in rows]


def control(
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same table.")] = 1,
    plants: Annotated[int, typer.Option(min=1, help="How many, each off by up to 30 % in every figure.")] = PLANTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Both ways to hold a pressure, over scattered plants, in quiet and on a moving limb."""
    report = bench_control(plants, seed)
    if as_json:
        typer.echo(json.dumps({**report.model_dump(exclude={"details"}), **report.details}))
    else:
        print_report(report)
    raise typer.Exit(0 if report.ok else 1)
