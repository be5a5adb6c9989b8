"""``wavewrap config``: what the gateway runs with."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wavewrap_gateway.app.config import config_path, show_config

__all__ = ["ConfigOption", "app"]

app = typer.Typer(help="Configuration: what is in use and where it came from.", no_args_is_help=True)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file instead of the usual one.")]


@app.callback()
def group() -> None:
    """Configuration: what is in use and where it came from."""


@app.command("show")
def show(config: ConfigOption = None, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Print every value with where it came from; secrets are masked."""
    values = show_config(config)
    file = config_path() if config is None else config
    if as_json:
        rows = {value.key: {"value": value.value, "origin": value.origin} for value in values}
        typer.echo(json.dumps({"file": str(file), "exists": file.exists(), "values": rows}, indent=2))
        return
    typer.echo(f"file: {file}{'' if file.exists() else ' (not there; every value has a default)'}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("key", "value", "from"):
        table.add_column(heading, overflow="fold")
    for value in values:
        table.add_row(value.key, value.value, value.origin)
    Console().print(table)
