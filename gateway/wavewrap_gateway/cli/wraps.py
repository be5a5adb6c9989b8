"""``wavewrap wraps`` and ``wavewrap forget``: the wraps that this host is paired with."""

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wavewrap_gateway.adapters.ble import forget_bond
from wavewrap_gateway.app.config import load_config
from wavewrap_gateway.app.known_wraps import KnownWrap, load_known_wraps
from wavewrap_gateway.cli.config import ConfigOption

__all__ = ["app", "forget"]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
WrapArgument = Annotated[str, typer.Argument(metavar="WRAP", help="Name, serial number or address.")]

app = typer.Typer(help="The wraps that this host is paired with.")


@app.callback(invoke_without_command=True)
def list_wraps(context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the wraps that this host is paired with."""
    if context.invoked_subcommand is not None:
        return
    chosen = load_config(config)
    known = load_known_wraps(chosen.known_wraps)
    if as_json:
        rows = [{**wrap.model_dump(mode="json"), "topic": chosen.names.get(wrap.serial, wrap.topic)} for wrap in known.wraps]
        typer.echo(json.dumps({"file": str(chosen.known_wraps), "wraps": rows}))
        return
    if not known.wraps:
        typer.echo("no wrap is paired with this host: press a wrap's pairing button and run 'wavewrap pair'")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "serial", "side", "model", "address", "paired"):
        table.add_column(heading, overflow="fold")
    for wrap in known.wraps:
        name = chosen.names.get(wrap.serial, wrap.topic)
        table.add_row(name, wrap.serial, wrap.side.value, wrap.model, wrap.address, f"{wrap.paired_at:%Y-%m-%d}")
    Console().print(table)


@app.command("rename")
def rename(
    old: WrapArgument,
    new: Annotated[str, typer.Argument(metavar="NEW", help="New name.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call a wrap something else in topics."""
    chosen = load_config(config)
    known = load_known_wraps(chosen.known_wraps)
    wrap = known.find(old)
    renamed = known.rename(wrap, known.check_name(new, wrap.serial, chosen.names))
    _say(renamed, f"{wrap.serial} is called {renamed.topic}", as_json=as_json)


def forget(wrap: WrapArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Remove the bond with a wrap from this host, and know the wrap no longer."""
    chosen = load_config(config)
    known = load_known_wraps(chosen.known_wraps)
    found = known.find(wrap)
    removed = asyncio.run(forget_bond(found.radio, chosen.bumble_keys, found.address))
    known.remove(found)
    rest = "" if removed else "; this system keeps its bonds to itself: remove the wrap in its Bluetooth settings, too"
    _say(found, f"{found.topic} ({found.serial}) is forgotten{rest}", as_json=as_json)


def _say(wrap: KnownWrap, text: str, *, as_json: bool) -> None:
    typer.echo(json.dumps({"wrap": wrap.model_dump(mode="json")}) if as_json else text)
