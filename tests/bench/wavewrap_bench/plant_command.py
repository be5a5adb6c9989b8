"""``python -m wavewrap_bench plant``."""

import json
from typing import Annotated

import typer

from wavewrap_gateway.bench.report import print_report

__all__ = ["plant"]


def plant(
    seed: Annotated[int, typer.Option(min=0, help="Of the wraps whose speed is measured.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """The plant's error against scipy's Radau over a minute with every valve pattern, and its speed for 1, 100 and 10,000 wraps."""
    try:
        from wavewrap_bench.plant import bench_plant  # scipy takes its time to load, and only this bench needs it
    except ModuleNotFoundError as cause:
        if cause.name is None or not cause.name.startswith("scipy"):
            raise
        typer.echo("wavewrap bench plant: scipy is not installed: pip install 'wavewrap[bench]'", err=True)
        raise typer.Exit(2) from cause
    report = bench_plant(seed)
    if as_json:
        typer.echo(json.dumps({**report.model_dump(exclude={"details"}), **report.details}))
    else:
        print_report(report)
        typer.echo(f"kernel: {report.machine['plant_kernel']}")
        for row in report.details["errors"]:
            typer.echo(f"{1e3 * row['step_s']:g} ms: p99 {row['p99_mmhg']:.4f} mmHg, largest during: {row['during']}")
    raise typer.Exit(0 if report.ok else 1)
