"""``wavewrap board record`` and ``wavewrap board fit``: measure a chamber by one fill, hold and vent."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_board.fit import ChamberFit, fit_chamber
from wavewrap_board.recording import load_recordings

__all__ = ["fit", "record"]

_OF_CHAMBER = "vent_conductance_ml_s_bar"
"""Every other figure stands in the chamber's own table of the board file."""


def record(context: typer.Context) -> None:
    """Record a fill, a hold and a vent of a simulated wrap as CSV."""
    # The simulator is a program of its own; the gateway never imports it.
    os.execv(sys.executable, [sys.executable, "-m", "wavewrap_sim.board_recording", *context.args])


def fit(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A recording, CSV: one fill, a hold and a vent of each chamber.")],
    board: Annotated[str, typer.Option(help="Board that was recorded: its pump, manifold, tubes and sensors are taken as known.")] = (
        REFERENCE_BOARD
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Estimate volumes, compliance, creep and leak of each chamber of a recording."""
    built = load_board(board)
    fits = [fit_chamber(recording, built) for recording in load_recordings(log)]
    if as_json:
        typer.echo(json.dumps({"board": built.name, "chambers": [asdict(found) for found in fits]}))
        return
    for found in fits:
        name = built.chambers[found.chamber - 1].name
        typer.echo(f"chamber {found.chamber}, {name}: {found.residual_mmhg:.3f} mmHg left over, noise {found.noise_mmhg:.3f} mmHg")
        Console().print(_table(found))
        unknown = [estimate.name for estimate in found.estimates if estimate.sigma is None]
        if unknown:
            typer.echo(f"not determined by this recording, left at the board's: {', '.join(unknown)}")
        typer.echo("\n# for the board file, in this chamber's table")
        for estimate in found.estimates:
            if estimate.sigma is not None and estimate.name != _OF_CHAMBER:
                typer.echo(f"{estimate.name} = {estimate.value:.4g}")
        typer.echo()
    typer.echo(
        f"{_OF_CHAMBER} is that of this vent with its tube, at the board's critical ratio; the board file has one figure for all vents."
    )


def _table(found: ChamberFit) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in (("figure", "left"), ("value", "right"), ("+/-", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # rich's literals
    for estimate in found.estimates:
        sigma = "board's" if estimate.sigma is None else f"{estimate.sigma:.2g}"
        table.add_row(estimate.name, f"{estimate.value:.4g}", sigma)
    return table
