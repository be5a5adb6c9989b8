"""``wavewrap demo``: simulator, broker, gateway and one session, with nothing to plug in."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from wavewrap_gateway.adapters.program_files import load_program
from wavewrap_gateway.app.config import GatewayConfig, load_config
from wavewrap_gateway.app.gateway import Gateway
from wavewrap_gateway.app.simulator import add_truth, simulator
from wavewrap_gateway.cli.config import ConfigOption
from wavewrap_gateway.cli.playing import play_session, tell
from wavewrap_gateway.cli.run import WRAPS_MAX, BrokerOption
from wavewrap_gateway.cli.summary_table import print_summary
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_protocol.limits import CHAMBERS_MAX
from wavewrap_protocol.payloads import SessionSummary, Side

__all__ = ["demo"]


def demo(
    for_s: Annotated[float, typer.Option("--for", min=1.0, help="Seconds of session.")] = 120.0,
    program: Annotated[str, typer.Option("--program", help="Name of a preset, or path of a .toml file.")] = "recovery",
    wraps: Annotated[int, typer.Option(min=1, max=WRAPS_MAX, help="Simulated wraps.")] = 2,
    chambers: Annotated[int, typer.Option(min=1, max=CHAMBERS_MAX, help="Chambers of each.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same wraps.")] = 1,
    scenario: Annotated[Path | None, typer.Option(help="Radio conditions, a TOML file; none: a radio without time or loss.")] = None,
    faults: Annotated[Path | None, typer.Option(help="What goes wrong and when, a TOML file; none: nothing does.")] = None,
    broker: BrokerOption = None,
    dashboard: Annotated[
        bool | None, typer.Option("--dashboard/--no-dashboard", help="Serve the page in the browser; by default unless --json is given.")
    ] = None,
    log: Annotated[Path | None, typer.Option(help="Keep the simulator's log here.")] = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object, last.")] = False,
) -> None:
    """Run a session on simulated wraps and publish it over MQTT. Ctrl-C stops and vents."""
    chosen = load_config(config, broker=broker)
    wanted = (not as_json) if dashboard is None else dashboard
    chosen = chosen.model_copy(update={"dashboard": chosen.dashboard.model_copy(update={"enabled": wanted})})
    compile_wave(load_program(program, chambers, chosen.ceiling_mmhg), Side.LEFT, chambers, for_s)  # wrong input is told before all else
    with tempfile.TemporaryDirectory(prefix="wavewrap-") as folder:
        kept = Path(folder) / "sim.jsonl" if log is None else log
        summary, code = asyncio.run(_demo(chosen, program, for_s, _Wraps(wraps, chambers, seed, kept, scenario, faults), live=not as_json))
    if summary is not None:
        if as_json:
            typer.echo(summary.model_dump_json(exclude_none=True))
        else:
            print_summary(summary)
    raise typer.Exit(code)


@dataclass(frozen=True, slots=True)
class _Wraps:
    """What the simulator is asked for."""

    count: int
    chambers: int
    seed: int
    log: Path
    scenario: Path | None
    faults: Path | None


async def _demo(config: GatewayConfig, program: str, for_s: float, wraps: _Wraps, *, live: bool) -> tuple[SessionSummary | None, int]:
    async with simulator(wraps.count, wraps.chambers, wraps.seed, wraps.log, wraps.scenario, wraps.faults) as child:
        tell(f"simulator: {wraps.count} wrap(s) of {wraps.chambers} chambers, seed {wraps.seed}")

        def complete(gateway: Gateway, summary: SessionSummary) -> SessionSummary:
            return summary if gateway.runner is None else add_truth(summary, gateway.runner.runs, child.log)

        on_simulator = config.model_copy(update={"radio": child.radio})
        return await play_session(on_simulator, program, for_s, wraps.count, (), Random(wraps.seed), live=live, complete=complete)
