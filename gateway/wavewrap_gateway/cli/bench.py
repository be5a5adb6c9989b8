"""``wavewrap bench``: measure, compare with a limit, fail when it falls short."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from wavewrap_gateway.bench.gateway import bench_gateway
from wavewrap_gateway.bench.host import bench_host
from wavewrap_gateway.bench.report import BenchReport, print_report

__all__ = ["app"]

app = typer.Typer(help="Benches: figures with limits, beside a reference of the same run.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a bench.")]

_BENCHES: dict[str, Callable[[], Coroutine[Any, Any, BenchReport]]] = {"gateway": bench_gateway, "host": bench_host}


@app.command("gateway")
def gateway(
    window_s: Annotated[float, typer.Option("--window", min=1.0, help="Seconds to measure each.")] = 20.0, as_json: JsonOption = False
) -> None:
    """CPU and memory of gateway and simulator, two wraps at 50 Hz, beside a bare script."""
    _finish([asyncio.run(bench_gateway(window_s))], as_json)


@app.command("host")
def host(as_json: JsonOption = False) -> None:
    """How late this machine wakes the pacer, beside asyncio.sleep, APScheduler and C, idle and loaded."""
    _finish([asyncio.run(bench_host())], as_json)


@app.command("all")
def run_all(as_json: JsonOption = False) -> None:
    """Every bench there is."""
    _finish([asyncio.run(bench()) for bench in _BENCHES.values()], as_json)


def _finish(reports: list[BenchReport], as_json: bool) -> None:
    for report in reports:
        if as_json:
            typer.echo(json.dumps({**report.model_dump(exclude={"details"}), **report.details}))
        else:
            print_report(report)
    raise typer.Exit(0 if all(report.ok for report in reports) else 1)
