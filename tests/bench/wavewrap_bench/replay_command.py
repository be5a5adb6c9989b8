"""``wavewrap sessions replay`` as a command; the history is the one that the configuration names."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wavewrap_bench.replay import ReplayReport, WrapDifference, replay_session
from wavewrap_gateway.adapters.store_reader import load_session
from wavewrap_gateway.app.config import load_config
from wavewrap_gateway.cli.session_table import print_differences
from wavewrap_protocol.errors import WavewrapError
from wavewrap_sim.scenario import CLEAR, load_scenario

__all__ = ["replay"]


def replay(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Name of a session, how it begins, or 'last'.")] = "last",
    scenario: Annotated[Path | None, typer.Option("--scenario", help="Radio conditions, a TOML file; none: a clean radio.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same wraps.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play the program of a recorded session again on simulated wraps, and say how the recorded session differs from that."""
    try:
        recorded = load_session(load_config().store.get_secret_value(), session)
        radio = CLEAR if scenario is None else load_scenario(scenario)
        report = replay_session(recorded, radio, seed)
    except WavewrapError as cause:
        print(f"wavewrap: {cause}", file=sys.stderr)
        raise typer.Exit(1) from cause
    if as_json:
        typer.echo(json.dumps(report.as_json()))
    else:
        _print_report(report)


def _print_report(report: ReplayReport) -> None:
    console = Console()
    console.print(f"{report.session}: {report.program}, {report.played_s:g} s played again on simulated wraps ({report.scenario} radio)")
    for wrap in report.wraps:
        console.print(f"\n{wrap.side} {wrap.name}, recorded minus replayed over {wrap.compared_s:g} s, by chamber:")
        console.print(_pressure_table(wrap))
        print_differences(wrap.dose)


def _pressure_table(wrap: WrapDifference) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for chamber in range(len(wrap.rms_mmhg)):
        table.add_column(str(chamber + 1), justify="right")
    table.add_row("pressure rms, mmHg", *(f"{value:.2f}" for value in wrap.rms_mmhg))
    table.add_row("pressure at most, mmHg", *(f"{value:.1f}" for value in wrap.most_mmhg))
    return table
