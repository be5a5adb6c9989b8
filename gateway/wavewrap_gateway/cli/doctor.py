"""``wavewrap doctor``: is this machine fit to run wraps, and what to do where it is not."""

import asyncio
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wavewrap_gateway.adapters.machine import this_machine
from wavewrap_gateway.app.doctor import examine
from wavewrap_gateway.cli.config import ConfigOption
from wavewrap_gateway.cli.run import BrokerOption
from wavewrap_gateway.cli.scan import RadioOption
from wavewrap_gateway.core.verdict import Examination, Level, Verdict

__all__ = ["doctor", "render"]

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}


def doctor(
    radio: RadioOption = None,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look at this machine and say what is wrong and what to do. Changes nothing; fails when there is a problem."""
    found = asyncio.run(examine(this_machine(os.environ), config, radio, broker))
    if as_json:
        typer.echo(found.model_dump_json(exclude_none=True, indent=2))
    else:
        console = Console()
        console.print(render(found))
        console.print(_sum_up(found), highlight=False)
    raise typer.Exit(found.exit_code)


def render(found: Examination) -> Table:
    """One row for each verdict, its remedy under it."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column("level", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("says", overflow="fold")
    for verdict in found.verdicts:
        table.add_row(Text(verdict.level.value, style=_STYLES[verdict.level]), verdict.check, _explain(verdict))
    return table


def _explain(verdict: Verdict) -> Text:
    text = Text(verdict.says)
    if verdict.remedy is not None:
        text.append(f"\n> {verdict.remedy}", style="dim" if verdict.level is Level.OK else "bold")
    if verdict.source is not None and verdict.level is not Level.OK:
        text.append(f"\n  {verdict.source}", style="dim")
    return text


def _sum_up(found: Examination) -> str:
    problems, warnings = found.count(Level.PROBLEM), found.count(Level.WARNING)
    if problems:
        return f"\n{problems} problem(s), {warnings} warning(s): mend the problems first, from the top"
    return f"\nno problem, {warnings} warning(s)"
