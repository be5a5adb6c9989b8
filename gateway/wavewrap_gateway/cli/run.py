"""``wavewrap run``: play a program on real wraps."""

import asyncio
from random import Random
from typing import Annotated

import typer

from wavewrap_gateway.adapters.program_files import load_program
from wavewrap_gateway.app.config import load_config
from wavewrap_gateway.cli.config import ConfigOption
from wavewrap_gateway.cli.playing import play_session
from wavewrap_gateway.cli.scan import RadioOption
from wavewrap_gateway.cli.summary_table import print_summary

__all__ = ["BrokerOption", "run"]

WRAPS_MAX = 8

BrokerOption = Annotated[str | None, typer.Option("--broker", help="MQTT broker, mqtt://user:password@host:port; none: one of our own.")]


def run(
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="Name of a preset, or path of a .toml file.")],
    for_s: Annotated[float | None, typer.Option("--for", min=1.0, help="Seconds instead of the program's own length.")] = None,
    wraps: Annotated[int, typer.Option(min=1, max=WRAPS_MAX, help="How many wraps to use: known ones first, then the nearest.")] = 2,
    address: Annotated[list[str] | None, typer.Option(help="Use the wrap with this address or name; may be repeated.")] = None,
    radio: RadioOption = None,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Play a program on the wraps nearby. Ctrl-C stops and vents."""
    chosen = load_config(config, radio, broker)
    load_program(program, ceiling_mmhg=chosen.ceiling_mmhg)  # a wrong program is told before any radio is touched
    summary, code = asyncio.run(play_session(chosen, program, for_s, wraps, address or (), Random(), live=not as_json))
    if summary is not None:
        if as_json:
            typer.echo(summary.model_dump_json(exclude_none=True))
        else:
            print_summary(summary)
    raise typer.Exit(code)
