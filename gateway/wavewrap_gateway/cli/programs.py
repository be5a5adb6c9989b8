"""``wavewrap programs``: list, show, plot and check programs.

Results go to stdout, with ``--json`` as one object; a wrong program propagates as :class:`wavewrap_protocol.errors.UsageError`.
"""

import json
from pathlib import Path
from textwrap import fill
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wavewrap_board.board import Board
from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_board.sizing import CycleLoad
from wavewrap_gateway.adapters.program_files import CHAMBERS_DEFAULT, load_program, preset_names
from wavewrap_gateway.cli.wave_chart import chart_lines
from wavewrap_gateway.core.achievability import Achievability, assess_wave
from wavewrap_gateway.core.fit import Fit, require_fit
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.core.program_check import HORIZON_S, densest_steps, longest_compression_s, shortest_vent_s
from wavewrap_gateway.core.wave import Wave, compile_wave
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.limits import CEILING_DEFAULT_MMHG, HOLD_MAX_S, QUEUE_DEPTH_DEFAULT, SESSION_MAX_S, VENT_MIN_S
from wavewrap_protocol.payloads import Side

__all__ = ["app", "describe_reach"]

app = typer.Typer(help="Programs: what a wrap can play.", no_args_is_help=True)

ProgramArgument = Annotated[str, typer.Argument(metavar="PROGRAM", help="Name of a preset, or path of a .toml file.")]
ChambersOption = Annotated[int, typer.Option("--chambers", help="Chambers of the wrap, 1 to 8.")]
CeilingOption = Annotated[float, typer.Option("--ceiling", help="Ceiling of the wrap in mmHg.")]
SideOption = Annotated[Side, typer.Option("--side", help="The leg; matters to alternating programs.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

_NARROW_COLUMNS = 40


@app.command("list")
def list_programs(as_json: JsonOption = False) -> None:
    """List the presets."""
    programs = [load_program(name) for name in preset_names()]
    if as_json:
        _print_json({"programs": [_summarize(program) for program in programs]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("program", "pattern", "mmHg", "cycle", "session", "title"):
        table.add_column(heading, justify="right" if heading in ("mmHg", "cycle", "session") else "left", no_wrap=heading != "title")
    for program in programs:
        cycle_s = require_fit(program, CHAMBERS_DEFAULT).cycle_s
        row = (f"{program.pressure_mmhg:g}", f"{cycle_s:g} s", f"{program.duration_min:g} min", program.title)
        table.add_row(program.name, program.pattern, *row)
    Console().print(table)


@app.command("show")
def show_program(program: ProgramArgument, chambers: ChambersOption = CHAMBERS_DEFAULT, as_json: JsonOption = False) -> None:
    """Show what a program asks for and what it becomes on a wrap of so many chambers."""
    chosen = load_program(program, chambers)
    fit = require_fit(chosen, chambers)
    wave = compile_wave(chosen, Side.LEFT, chambers)
    if as_json:
        _print_json({"program": chosen.model_dump(mode="json", exclude_none=True), "on_wrap": _describe_fit(fit, wave)})
        return
    typer.echo(f"{chosen.name}: {chosen.title}")
    typer.echo(fill(" ".join(chosen.description.split()), width=max(_NARROW_COLUMNS, Console().width)) + "\n")
    hidden = {"name", "title", "description"}
    for key, value in chosen.model_dump(exclude_none=True, exclude=hidden).items():
        typer.echo(f"  {key:<18}{_show_value(value)}")
    typer.echo(f"\non {chambers} chambers:")
    for key, value in _describe_fit(fit, wave).items():
        typer.echo(f"  {key:<18}{_show_value(value)}")


@app.command("plot")
def plot_program(
    program: ProgramArgument,
    chambers: ChambersOption = CHAMBERS_DEFAULT,
    side: SideOption = Side.LEFT,
    cycles: Annotated[int | None, typer.Option("--cycles", help="Cycles to draw; by default up to the first at full pressure.")] = None,
    png: Annotated[Path | None, typer.Option("--png", help="Write a picture to this file instead of drawing in the terminal.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the target pressure of each chamber over the first cycles."""
    if cycles is not None and cycles < 1:
        raise UsageError(f"--cycles {cycles}: give 1 or more")
    chosen = load_program(program, chambers)
    wave = compile_wave(chosen, side, chambers)
    drawn = min(len(wave.soft_pct) + 1 if cycles is None else cycles, wave.cycles)
    until_s = drawn * wave.cycle_s
    title = f"{chosen.title}, {side.value}: target pressure in {drawn} of {wave.cycles} cycles of {wave.cycle_s:g} s"
    if png is not None:
        from wavewrap_gateway.adapters.plot import draw_wave  # here, because matplotlib takes its time and memory to load

        draw_wave(wave, title, until_s, png)
    if as_json:
        _print_json(_describe_plot(chosen, side, wave, until_s, png))
    elif png is not None:
        typer.echo(f"wrote {png}")
    else:
        columns = max(_NARROW_COLUMNS, Console().width)
        typer.echo("\n".join([title, *chart_lines(wave, until_s, columns)]))


@app.command("check")
def check_file(
    program: ProgramArgument,
    chambers: Annotated[int | None, typer.Option("--chambers", help="Chambers of the wrap, 1 to 8; as many as the board has.")] = None,
    ceiling_mmhg: CeilingOption = CEILING_DEFAULT_MMHG,
    board: Annotated[str, typer.Option("--board", help="Board of the wrap: a name, or the path of a .toml file.")] = REFERENCE_BOARD,
    as_json: JsonOption = False,
) -> None:
    """Check a program against the limits, and whether a wrap of this board can follow it."""
    built = load_board(board)
    chambers = len(built.chambers) if chambers is None else chambers
    chosen = load_program(program, chambers, ceiling_mmhg, board=board)
    built = built.with_chambers(chambers)
    wave = compile_wave(chosen, Side.LEFT, chambers)
    limits = _list_limits(chosen, wave, built, ceiling_mmhg)
    reach = assess_wave(wave, built)
    if as_json:
        checks = [{"name": name, "value": round(value, 3), "unit": unit, "limit": limit} for name, value, unit, limit in limits]
        head = {"program": chosen.name, "board": built.name, "chambers": chambers, "ok": True}
        _print_json({**head, "limits": checks, "achievable": describe_reach(reach)})
        return
    typer.echo(f"{chosen.name}: within every limit on {chambers} chambers")
    for name, value, unit, limit in limits:
        relation = "at least" if name == "shortest vent" else "at most"
        typer.echo(f"  {name:<20}{value:8.1f} {unit:<6}{relation} {limit:g}")
    typer.echo(_word_reach(reach.cycle, built))


def _list_limits(program: Program, wave: Wave, board: Board, ceiling_mmhg: float) -> list[tuple[str, float, str, float]]:
    """Name, value, unit and limit of what :func:`wavewrap_gateway.core.program_check.check_program` holds a program to."""
    return [
        ("highest target", max(wave.peaks_mmhg), "mmHg", ceiling_mmhg),
        ("longest compression", longest_compression_s(wave, board), "s", HOLD_MAX_S),
        ("shortest vent", shortest_vent_s(wave, board), "s", VENT_MIN_S),
        ("session", program.duration_s, "s", SESSION_MAX_S),
        (f"steps in {HORIZON_S:g} s", densest_steps(wave), "", QUEUE_DEPTH_DEFAULT),
    ]


def _word_reach(reach: CycleLoad, board: Board) -> str:
    needs = f"one cycle takes {reach.air_ml:.0f} ml of free air, {reach.pump_s:.1f} s of the pump of {board.name}"
    if reach.ok:
        return f"achievable: {needs}; every chamber is up in time"
    late = f"the latest chamber is up {reach.lag_s:.2f} s late"
    if reach.asked_delay_s < reach.achieved_delay_s:
        late += f", {reach.achieved_delay_s:.2f} s after the one before and not {reach.asked_delay_s:.2f} s"
    return f"NOT achievable: {needs}; {late}. It is played all the same; a longer inflate_s or a shorter overlap_s helps"


def describe_reach(assessed: Achievability) -> dict[str, object]:
    """``assessed`` for machines."""
    reach = assessed.cycle
    return {
        "ok": reach.ok,
        "air_ml": round(reach.air_ml, 1),
        "pump_s": round(reach.pump_s, 2),
        "fill_s": [round(fill_s, 2) for fill_s in reach.fill_s],
        "asked_delay_s": round(reach.asked_delay_s, 2),
        "achieved_delay_s": round(reach.achieved_delay_s, 2),
        "lag_s": round(reach.lag_s, 2),
        "pump_pct": round(reach.pump_pct, 2),
        "session_j": round(assessed.session_j),
        "sessions_per_charge": assessed.sessions,
    }


def _describe_fit(fit: Fit, wave: Wave) -> dict[str, object]:
    return {
        "chambers": wave.chambers,
        "pressures_mmhg": list(fit.pressures_mmhg),
        "delay_s": round(fit.delay_s, 3),
        "hold_s": round(fit.hold_s, 3),
        "rest_s": round(fit.rest_s, 3),
        "cycle_s": round(fit.cycle_s, 3),
        "cycles": wave.cycles,
        "session_s": round(wave.duration_s, 3),
        "steps": len(wave.steps),
    }


def _describe_plot(program: Program, side: Side, wave: Wave, until_s: float, png: Path | None) -> dict[str, object]:
    lines = [[[round(at_s, 4), round(mmhg, 3)] for at_s, mmhg in wave.corners(chamber, until_s)] for chamber in range(wave.chambers)]
    return {
        "program": program.name,
        "side": side.value,
        "cycle_s": wave.cycle_s,
        "until_s": until_s,
        "png": None if png is None else str(png),
        "targets": [{"chamber": chamber + 1, "points_s_mmhg": points} for chamber, points in enumerate(lines)],
    }


def _summarize(program: Program) -> dict[str, object]:
    return program.model_dump(mode="json", include={"name", "title", "description", "pattern", "duration_min", "pressure_mmhg"})


def _show_value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return " ".join(_show_value(entry) for entry in value) if value else "none"
    return str(value)


def _print_json(content: dict[str, object]) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False))
