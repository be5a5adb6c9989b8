"""``wavewrap acknowledge``: say that the fault of a wrap has been seen to, so that it arms again."""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated

import typer

from wavewrap_gateway.app.config import GatewayConfig, load_config
from wavewrap_gateway.cli.config import ConfigOption
from wavewrap_gateway.cli.playing import tell
from wavewrap_gateway.cli.scan import RadioOption
from wavewrap_gateway.cli.visiting import WRAPS_MAX, visit_wraps
from wavewrap_gateway.core.advice import describe_fault, explain_fault
from wavewrap_gateway.runtime.acknowledging import acknowledge_fault, ask_fault
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_protocol.enums import Fault
from wavewrap_protocol.errors import DeviceError, LinkError

__all__ = ["acknowledge"]


def acknowledge(
    wraps: Annotated[int, typer.Option(min=1, max=WRAPS_MAX, help="How many wraps to look at, nearest first.")] = 1,
    address: Annotated[list[str] | None, typer.Option(help="Look at the wrap with this address or name; may be repeated.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Every cause has been seen to: do not ask.")] = False,
    radio: RadioOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object; asks nothing, changes nothing without --yes.")] = False,
) -> None:
    """Show the fault that a wrap has latched and what to do, then clear it once you say that it is done."""
    results = asyncio.run(_visit(load_config(config, radio), wraps, address or (), yes=yes, ask=not as_json))
    if as_json:
        typer.echo(json.dumps({"wraps": results}))
    elif not any(one["fault"] for one in results):
        typer.echo("no fault is latched")
    left = [str(one["wrap"]) for one in results if one["fault"] and not one["acknowledged"]]
    if left:
        reasons = "; ".join(str(one["error"]) for one in results if one["error"])
        raise DeviceError(reasons or f"not acknowledged: {', '.join(left)}: see to it, then run this again and say yes")


async def _visit(chosen: GatewayConfig, wanted: int, addresses: Sequence[str], *, yes: bool, ask: bool) -> list[dict[str, object]]:
    async with visit_wraps(chosen, wanted, addresses) as wraps:
        return [await _deal_with(wrap, yes=yes, ask=ask) for wrap in wraps]


async def _deal_with(wrap: Wrap, *, yes: bool, ask: bool) -> dict[str, object]:
    fault = await ask_fault(wrap)
    result: dict[str, object] = {"wrap": wrap.name, "side": wrap.side.value, "fault": None, "acknowledged": False, "error": None}
    if fault is None:
        return result
    advice = explain_fault(fault)
    result |= {"fault": fault.name.lower(), "meaning": advice.meaning, "remedy": advice.remedy}
    if not yes and ask:
        tell(f"{wrap.side.value} ({wrap.name}): {describe_fault(fault)}")
        # The link needs the loop while a person thinks.
        yes = await asyncio.to_thread(typer.confirm, "Is that done?", err=True)
    if yes:
        result |= await _acknowledge(wrap, fault)
    return result


async def _acknowledge(wrap: Wrap, fault: Fault) -> dict[str, object]:
    try:
        await acknowledge_fault(wrap, fault)
    except (DeviceError, LinkError) as cause:
        return {"error": str(cause)}
    tell(f"{wrap.side.value} ({wrap.name}): acknowledged, ready to be armed")
    return {"acknowledged": True}
