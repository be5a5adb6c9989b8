"""``wavewrap board``: the reference boards, what they can do, and what is needed to build one.

Results go to stdout, with ``--json`` as one object; a wrong board propagates as :class:`wavewrap_protocol.errors.UsageError`.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from wavewrap_board.bill_of_materials import list_parts, write_bill
from wavewrap_board.board import Board
from wavewrap_board.files import board_names, load_board
from wavewrap_board.pneumatic_scheme import draw_pneumatics
from wavewrap_board.sizing import ChamberSize, size_chamber
from wavewrap_board.spread import scatter
from wavewrap_board.wiring_scheme import draw_wiring
from wavewrap_gateway.adapters.program_files import load_program, preset_names
from wavewrap_gateway.cli import board_fit
from wavewrap_gateway.cli.programs import describe_reach
from wavewrap_gateway.core.achievability import Achievability, assess_wave
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.payloads import Side

__all__ = ["app"]

app = typer.Typer(help="Boards: what a wrap is built of, and what it can do.", no_args_is_help=True)
app.command("fit")(board_fit.fit)
app.command("record", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})(
    board_fit.record
)

BoardArgument = Annotated[str, typer.Argument(metavar="BOARD", help="Name of a board, or path of a .toml file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

_SPREAD_BOARDS = 100
_SPREAD_SEED = 1
"""The same boards for everybody, so that the same file prints the same table."""


@app.command("list")
def list_boards(as_json: JsonOption = False) -> None:
    """List the boards that come with the project."""
    boards = [load_board(name) for name in board_names()]
    if as_json:
        _print_json({"boards": [board.model_dump(include={"name", "title", "model", "description"}) for board in boards]})
        return
    table = _table("board", "model", "chambers", "ceiling", "pump", "title")
    for board in boards:
        figures = (str(len(board.chambers)), f"{board.limits.ceiling_mmhg:g} mmHg", f"{board.pump.free_flow_ml_s:g} ml/s")
        table.add_row(board.name, board.model, *figures, board.title)
    Console().print(table)


@app.command("show")
def show_board(board: BoardArgument, as_json: JsonOption = False) -> None:
    """Show every figure of a board."""
    built = load_board(board)
    if as_json:
        _print_json(built.model_dump(mode="json"))
        return
    typer.echo(f"{built.name}: {built.title}\n{' '.join(built.description.split())}")
    for key, value in built.model_dump(mode="json", exclude={"name", "title", "description"}).items():
        _echo_value(key, value, "")


@app.command("size")
def size_board(
    board: BoardArgument,
    programs: Annotated[
        list[str] | None, typer.Option("--program", help="A preset or a file; may be repeated. Default: every preset.")
    ] = None,
    target_mmhg: Annotated[float, typer.Option("--target", min=1.0, help="Pressure of the chamber table in mmHg.")] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Calculate rise and vent times, and which programs a wrap of this board can follow, for how long."""
    built = load_board(board)
    if not target_mmhg <= built.limits.ceiling_mmhg:
        raise UsageError(f"--target {target_mmhg:g}: over the ceiling of {built.limits.ceiling_mmhg:g} mmHg of {built.name}; give less")
    sizes = [size_chamber(built, chamber, target_mmhg) for chamber in range(len(built.chambers))]
    # The same scattered boards for every program.
    rng = np.random.default_rng(_SPREAD_SEED)
    scattered = [scatter(built, rng) for _ in range(_SPREAD_BOARDS)]
    reaches = {name: _assess(name, board, built, scattered) for name in programs or preset_names()}
    if as_json:
        described = {name: {**describe_reach(reach), "in_time_pct": in_time_pct} for name, (reach, in_time_pct) in reaches.items()}
        chambers = [{key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(size).items()} for size in sizes]
        _print_json({"board": built.name, "target_mmhg": target_mmhg, "chambers": chambers, "programs": described})
        return
    typer.echo(f"{built.name}: {built.title}. Between rest and {target_mmhg:g} mmHg, nominal figures:\n")
    Console().print(_chamber_table(sizes))
    typer.echo("\nrise: from rest; next: after another chamber; mmHg/s: at the end of a fill;")
    typer.echo("to 15, to 5 mmHg: by the vent; by dump: to 15 mmHg by inlet and dump.\n")
    Console().print(_program_table(reaches))
    typer.echo("\nasked, got: longest delay from one chamber to the next; kJ: of a session;")
    typer.echo("a charge: sessions; reachable: or how late the latest chamber is;")
    typer.echo(f"spread: how many of {_SPREAD_BOARDS} boards, every figure up to {100 * built.spread_fraction:g} % off, are in time.")


@app.command("draw")
def draw_board(
    board: BoardArgument,
    to: Annotated[Path, typer.Option("--to", help="Folder for the two pictures.")],
    as_json: JsonOption = False,
) -> None:
    """Draw the pneumatic scheme and the wiring as SVG."""
    built = load_board(board)
    texts = {"pneumatics": draw_pneumatics(built), "wiring": draw_wiring(built)}
    paths = {kind: to / f"{built.name}_{kind}.svg" for kind in texts}
    for kind, path in paths.items():
        _write(path, texts[kind])
    if as_json:
        _print_json({"board": built.name, **{kind: str(path) for kind, path in paths.items()}})
        return
    for path in paths.values():
        typer.echo(f"wrote {path}")


@app.command("bom")
def list_bill(
    board: BoardArgument,
    to: Annotated[Path | None, typer.Option("--to", help="Write the list to this CSV file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the parts of one wrap: part, function, quantity, key figures, why, alternatives."""
    built = load_board(board)
    if to is not None:
        _write(to, write_bill(built))
    if as_json:
        _print_json({"board": built.name, "csv": None if to is None else str(to), "parts": [asdict(row) for row in list_parts(built)]})
    elif to is not None:
        typer.echo(f"wrote {to}")
    else:
        table = _table("part", "quantity", "function", "key figures")
        for row in list_parts(built):
            table.add_row(row.part, str(row.quantity), row.function, row.key_figures)
        Console().print(table)


def _assess(name: str, source: str, board: Board, scattered: list[Board]) -> tuple[Achievability, float]:
    """What ``board`` makes of a program, and the percentage of the ``scattered`` boards that are in time."""
    chambers = len(board.chambers)
    wave = compile_wave(load_program(name, chambers, board.limits.ceiling_mmhg, board=source), Side.LEFT, chambers)
    in_time = sum(assess_wave(wave, other).cycle.ok for other in scattered)
    return assess_wave(wave, board), 100.0 * in_time / len(scattered)


def _chamber_table(sizes: list[ChamberSize]) -> Table:
    table = _table("chamber", "air ml", "rise s", "next s", "mmHg/s", "to 15 s", "to 5 s", "by dump s")
    for at, size in enumerate(sizes, 1):
        times_s = (size.vent_15_s, size.vent_5_s, size.relief_15_s)
        rises = (f"{size.air_ml:.0f}", f"{size.rise_s:.2f}", f"{size.next_rise_s:.2f}", f"{size.rate_mmhg_s:.0f}")
        table.add_row(f"{at} {size.name}", *rises, *(f"{time_s:.2f}" for time_s in times_s))
    return table


def _program_table(reaches: dict[str, tuple[Achievability, float]]) -> Table:
    table = _table("program", "asked s", "got s", "pump %", "kJ", "a charge", "reachable", "spread %")
    for name, (reach, in_time_pct) in reaches.items():
        cycle = reach.cycle
        table.add_row(
            name,
            f"{cycle.asked_delay_s:.2f}",
            f"{cycle.achieved_delay_s:.2f}",
            f"{cycle.pump_pct:.1f}",
            f"{reach.session_j / 1000:.1f}",
            str(reach.sessions),
            "yes" if cycle.ok else f"NO, {cycle.lag_s:.2f} s",
            f"{in_time_pct:.0f}",
        )
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        words = heading in ("board", "model", "title", "chamber", "program", "part", "function", "key figures")
        table.add_column(heading, justify="left" if words else "right", no_wrap=not words, overflow="fold")
    return table


def _echo_value(key: str, value: object, indent: str) -> None:
    if isinstance(value, dict):
        typer.echo(f"{indent}{key}")
        for name, entry in value.items():
            _echo_value(name, entry, indent + "  ")
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for at, entry in enumerate(value, 1):
            _echo_value(f"{key} {at}", entry, indent)
    else:
        shown = " ".join(map(str, value)) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)
        typer.echo(f"{indent}{key:<26}{shown}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as cause:
        raise UsageError(f"{path}: cannot be written ({cause.strerror}); give a path in a folder that exists") from cause


def _print_json(content: dict[str, object]) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False))
