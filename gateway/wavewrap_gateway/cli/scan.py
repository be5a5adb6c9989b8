"""``wavewrap scan``: which wraps are on the air."""

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wavewrap_gateway.adapters.ble import open_radio
from wavewrap_gateway.app.config import load_config
from wavewrap_gateway.app.known_wraps import load_known_wraps
from wavewrap_gateway.cli.config import ConfigOption
from wavewrap_gateway.runtime.ports import Sighting
from wavewrap_protocol.errors import LinkError

__all__ = ["RadioOption", "scan"]

RadioOption = Annotated[str | None, typer.Option("--radio", help="platform, or bumble:<transport> such as bumble:usb:0.")]


def scan(
    radio: RadioOption = None,
    for_s: Annotated[float, typer.Option("--for", min=0.1, max=120.0, help="Seconds to listen.")] = 4.0,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the wraps on the air. Fails when there are none."""
    chosen = load_config(config, radio)
    known = load_known_wraps(chosen.known_wraps)
    found = asyncio.run(_listen(chosen.radio, for_s))
    names = {wrap.address: chosen.names.get(wrap.serial, wrap.topic) for wrap in known.wraps if wrap.radio == chosen.radio}
    if as_json:
        keys = ("address", "model", "side", "rssi_dbm", "pairing_window")
        rows = [{**{key: getattr(one, key) for key in keys}, "known_as": names.get(one.address)} for one in found]
        typer.echo(json.dumps({"wraps": rows}))
    elif found:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("address", "model", "side", "signal", "pairing", "known as"):
            table.add_column(heading)
        for one in found:
            window = "open" if one.pairing_window else "closed"
            table.add_row(one.address, one.model, one.side.value, f"{one.rssi_dbm} dBm", window, names.get(one.address, "-"))
        Console().print(table)
    if not found:
        raise LinkError(f"no wrap was heard within {for_s:g} s: switch one on, bring it near, or listen longer with --for")


async def _listen(radio: str, for_s: float) -> list[Sighting]:
    async with open_radio(radio) as opened:
        return await opened.scan(for_s)
