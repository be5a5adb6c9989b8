"""``wavewrap identify``: which of the wraps that lie here is it? It shows its light."""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated

import typer

from wavewrap_gateway.app.config import GatewayConfig, load_config
from wavewrap_gateway.cli.config import ConfigOption
from wavewrap_gateway.cli.scan import RadioOption
from wavewrap_gateway.cli.visiting import WRAPS_MAX, visit_wraps
from wavewrap_gateway.runtime.exchange import require_ok
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_protocol.commands import Identify
from wavewrap_protocol.limits import IDENTIFY_MAX_S

__all__ = ["identify"]


def identify(
    wraps: Annotated[int, typer.Option(min=1, max=WRAPS_MAX, help="How many wraps, nearest first.")] = 1,
    address: Annotated[list[str] | None, typer.Option(help="The wrap with this address or name; may be repeated.")] = None,
    seconds: Annotated[int, typer.Option("--for", min=0, max=IDENTIFY_MAX_S, help="Seconds of light; 0 puts it out.")] = 10,
    radio: RadioOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Have a wrap show its light, to tell which one it is. It moves no air, and nothing of a session."""
    shown = asyncio.run(_show(load_config(config, radio), wraps, address or (), seconds))
    if as_json:
        typer.echo(json.dumps({"wraps": [{"wrap": wrap.name, "side": wrap.side.value, "light_s": seconds} for wrap in shown]}))
        return
    text = f"shows its light for {seconds} s" if seconds else "has put its light out"
    for wrap in shown:
        typer.echo(f"{wrap.side.value} ({wrap.name}) {text}")


async def _show(chosen: GatewayConfig, wanted: int, addresses: Sequence[str], seconds: int) -> list[Wrap]:
    async with visit_wraps(chosen, wanted, addresses) as wraps:
        for wrap in wraps:
            require_ok(await wrap.link.command(Identify(seconds)), wrap.name)
        return wraps
