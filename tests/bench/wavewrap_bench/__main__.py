"""``python -m wavewrap_bench BENCH``, which is what ``wavewrap bench BENCH`` runs for benches of gateway and simulator together."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from wavewrap_bench.control import control
from wavewrap_bench.plant_command import plant
from wavewrap_bench.replay_command import replay
from wavewrap_bench.safety_command import safety
from wavewrap_bench.timing import STEPS, bench_timing
from wavewrap_gateway.bench.report import print_report
from wavewrap_protocol.errors import WavewrapError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_INSTALLED = Path(__file__).resolve().parent / "scenarios"
SCENARIOS = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).resolve().parents[2] / "scenarios"
"""A wheel carries the files with the package; a checkout has them among the tests."""

STANDARD = ("clean", "household", "crowded-gym")


@app.command("timing")
def timing(
    scenario: Annotated[list[Path] | None, typer.Option(help="Scenario file; may be repeated. Default: the project's own three.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same table.")] = 1,
    steps: Annotated[int, typer.Option(min=100, help="Steps a wrap in each cell.")] = STEPS,
    real_time: Annotated[bool, typer.Option(help="Also a minute in real time, and the host's wake-ups.")] = True,
    plot: Annotated[Path | None, typer.Option(help="Write a picture here, PNG.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """When steps really happen: four methods, the same radios, the simulator's own log."""
    paths = scenario or [SCENARIOS / f"{name}.toml" for name in STANDARD]
    try:
        report = asyncio.run(bench_timing(paths, seed, steps, real_time=real_time, plot=plot))
    except WavewrapError as cause:
        print(f"wavewrap: {cause}", file=sys.stderr)
        raise typer.Exit(1) from cause
    if as_json:
        typer.echo(json.dumps({**report.model_dump(exclude={"details"}), **report.details}))
    else:
        print_report(report)
    raise typer.Exit(0 if report.ok else 1)


app.command("control")(control)
app.command("safety")(safety)
app.command("plant")(plant)
app.command("replay")(replay)


if __name__ == "__main__":
    app(prog_name="wavewrap bench")
