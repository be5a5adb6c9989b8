"""``python -m wavewrap_sim.board_recording``, which is what ``wavewrap board record`` runs: a simulated fill, hold and vent as CSV."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from wavewrap_board.board import Board
from wavewrap_board.files import load_board
from wavewrap_board.recording import COLUMNS
from wavewrap_protocol.errors import UsageError
from wavewrap_sim.from_board import manifold_sensor_of, plant_of, sensors_of
from wavewrap_sim.plant_parameters import ChamberParameters, PlantParameters, scatter_part
from wavewrap_sim.pneumatics import Plant
from wavewrap_sim.program import run_program
from wavewrap_sim.sensors import PressureSensors

__all__ = ["record_chamber", "scatter_chambers"]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

PERIOD_S = 0.01
"""The device's sample period."""

FILL_MMHG = 60.0
FILL_MAX_S = 10.0
"""A fill that takes longer than this has failed."""

REST_S, SHUT_S, COAST_S, HOLD_S, VENT_S = 1.0, 0.2, 0.5, 20.0, 5.0
"""Vented rest, all shut, inlet open on a stopping pump, hold, vent. Choice: long against the creep of a bladder, 4 s assumed."""

Row = tuple[int, float, float, int, int, float, float]


def scatter_chambers(parameters: PlantParameters, rng: np.random.Generator, fraction: float) -> PlantParameters:
    """Each figure of the bladders, their leaks and their valves off by up to ``fraction``; pump, manifold and tubes stay known."""

    def vary(chamber: ChamberParameters) -> ChamberParameters:
        drawn: ChamberParameters = scatter_part(chamber, rng, fraction)
        return replace(drawn, tube_mmhg_s_ml=chamber.tube_mmhg_s_ml, vent_tube_mmhg_s_ml=chamber.vent_tube_mmhg_s_ml)

    return replace(parameters, chambers=tuple(vary(chamber) for chamber in parameters.chambers))


def record_chamber(parameters: PlantParameters, board: Board, chamber: int, rng: np.random.Generator) -> list[Row]:
    """Play and sense one fill, hold and vent of ``chamber`` (from 1) with the sensors of ``board``. Rows as in :data:`COLUMNS`.

    Raises :class:`UsageError` when the chamber does not fill.
    """
    plant = Plant([parameters])
    count = len(parameters.chambers)
    sensors = PressureSensors(sensors_of(board), (count,), rng)
    manifold_sensor = PressureSensors(manifold_sensor_of(board), (1,), rng)
    rows: list[Row] = []

    def move(seconds: float, duty: float, inlet: bool, vent: bool, dump: bool) -> None:
        for _ in range(round(seconds / PERIOD_S)):
            shown_mmhg = sensors.read_mmhg(plant.pressure_mmhg[0], PERIOD_S)[chamber - 1]
            manifold_mmhg = manifold_sensor.read_mmhg(plant.manifold_mmhg, PERIOD_S)[0]
            at_s = round(len(rows) * PERIOD_S, 6)
            rows.append((chamber, at_s, duty, int(inlet), int(vent), round(float(manifold_mmhg), 4), round(float(shown_mmhg), 4)))
            inlets = [[inlet and at == chamber - 1 for at in range(count)]]
            vents = [[vent or at != chamber - 1 for at in range(count)]]
            plant.step(PERIOD_S, [duty], inlets, vents, [dump])

    move(REST_S, 0.0, False, True, True)
    move(SHUT_S, 0.0, False, False, False)
    while plant.pressure_mmhg[0, chamber - 1] < FILL_MMHG:
        if len(rows) * PERIOD_S > FILL_MAX_S:
            raise UsageError(f"chamber {chamber} is not at {FILL_MMHG:g} mmHg after {FILL_MAX_S:g} s; the board's pump is too small for it")
        move(PERIOD_S, 1.0, True, False, False)
    move(COAST_S, 0.0, True, False, False)
    move(HOLD_S, 0.0, False, False, False)
    move(VENT_S, 0.0, False, True, False)
    return rows


@app.command(name="wavewrap board record")
def record(
    board: Annotated[str, typer.Argument(metavar="BOARD", help="Name of a board, or path of a .toml file.")],
    to: Annotated[Path, typer.Option("--to", help="Write the recording to this CSV file.")],
    chamber: Annotated[int | None, typer.Option(min=1, help="Record this chamber only, distal is 1; default: all.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same wrap and same noise.")] = 1,
    scatter: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Chambers and their valves are off by up to this part; the pump is the board's.")
    ] = 0.0,
) -> None:
    """Fill, hold and vent a simulated wrap and write what its sensors show."""
    built = load_board(board)
    count = len(built.chambers)
    if chamber is not None and chamber > count:
        raise UsageError(f"--chamber {chamber}: {built.name} has {count} chambers")
    rng = np.random.default_rng(seed)
    parameters = scatter_chambers(plant_of(built), rng, scatter)
    rows = [row for at in ([chamber] if chamber else range(1, count + 1)) for row in record_chamber(parameters, built, at, rng)]
    try:
        with to.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(rows)
    except OSError as cause:
        raise UsageError(f"{to}: cannot be written ({cause.strerror}); give a path in a folder that exists") from cause
    typer.echo(f"wrote {to}: {len(rows)} rows of {built.name}")


def main() -> None:
    """Entry point: one line on stderr for what is wrong, exit code 2 for usage."""
    run_program(app, "wavewrap board record")


if __name__ == "__main__":
    main()
