"""``wavewrap bench``: measure, compare with a limit, fail when it falls short."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from wavewrap_gateway.bench.cluster import NODE_KILLS, bench_cluster
from wavewrap_gateway.bench.dashboard import HEAP_S, PRESSES, WINDOW_S, bench_dashboard, bench_dashboard_short, find_lacking
from wavewrap_gateway.bench.data import FADES_S, KILLS, QUIET_S, bench_data, bench_data_short
from wavewrap_gateway.bench.fleet import FOR_S, GATEWAYS, bench_fleet
from wavewrap_gateway.bench.gateway import bench_gateway
from wavewrap_gateway.bench.host import bench_host
from wavewrap_gateway.bench.report import BenchReport, print_report
from wavewrap_gateway.bench.requests import bench_requests
from wavewrap_gateway.bench.soak import FLAT_AFTER_S, SESSION_S, bench_soak
from wavewrap_gateway.bench.throughput import MESSAGES, bench_throughput

__all__ = ["app"]

app = typer.Typer(help="Benches: figures with limits, beside a reference of the same run.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a bench.")]

_BENCHES: dict[str, Callable[[], Coroutine[Any, Any, BenchReport]]] = {
    "gateway": bench_gateway,
    "requests": bench_requests,
    "throughput": bench_throughput,
    "fleet": bench_fleet,
    "data": bench_data_short,
}
"""What ``all`` runs here; ``timing`` runs in a program of its own and brings the host's rows with it."""

_PROGRAMS = ("timing", "plant", "control", "safety")
"""What ``all`` runs in programs of their own."""


@app.callback()
def end_in_order() -> None:
    """Ended by SIGTERM, a bench takes its programs along, as with Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@app.command("gateway")
def gateway(
    window_s: Annotated[float, typer.Option("--window", min=1.0, help="Seconds to measure each, three times in turn.")] = 12.0,
    as_json: JsonOption = False,
) -> None:
    """CPU and memory of gateway and simulator, two wraps at 50 Hz, beside a bare script."""
    _finish([asyncio.run(bench_gateway(window_s))], as_json)


@app.command("requests")
def requests(stops: Annotated[int, typer.Option(min=1, help="Stops in each scene.")] = 300, as_json: JsonOption = False) -> None:
    """How soon the daemon answers a stop: idle, flooded with requests in a session, after an outage of the broker."""
    _finish([asyncio.run(bench_requests(stops))], as_json)


@app.command("throughput")
def throughput(
    messages: Annotated[int, typer.Option(min=1000, help="Messages through each path.")] = MESSAGES, as_json: JsonOption = False
) -> None:
    """Messages a second from payload to subscriber through the outbox file, beside persist-queue's SQLiteAckQueue."""
    _finish([asyncio.run(bench_throughput(messages))], as_json)


@app.command("fleet")
def fleet(
    gateways: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = GATEWAYS,
    for_s: Annotated[float, typer.Option("--for", min=1.0, help="Seconds of load.")] = FOR_S,
    as_json: JsonOption = False,
) -> None:
    """The message load of 200 gateways with two wraps each, from one process into one mosquitto."""
    _finish([asyncio.run(bench_fleet(gateways, for_s))], as_json)


@app.command("dashboard")
def dashboard(
    window_s: Annotated[float, typer.Option("--window", min=5.0, help="Seconds to measure each latency.")] = WINDOW_S,
    heap_s: Annotated[float, typer.Option("--heap", min=90.0, help="Seconds over which the page's memory is looked at.")] = HEAP_S,
    presses: Annotated[int, typer.Option(min=1, help="Presses of STOP, each in a session of its own.")] = PRESSES,
    as_json: JsonOption = False,
) -> None:
    """How soon a sample is on the page and a STOP at the wraps, beside a bare page; what the server costs; whether the page grows."""
    _finish([asyncio.run(bench_dashboard(window_s, heap_s, presses))], as_json)


@app.command("cluster")
def cluster(kills: Annotated[int, typer.Option(min=0, help="How many.")] = NODE_KILLS, as_json: JsonOption = False) -> None:
    """A gateway on three replicating NATS nodes; the node that it is on is killed, time and again."""
    _finish([asyncio.run(bench_cluster(kills))], as_json)


@app.command("data")
def data(
    kills: Annotated[int, typer.Option(min=0, help="SIGKILLs of the gateway, and as many of the broker.")] = KILLS,
    fade_s: Annotated[list[float] | None, typer.Option("--fade", min=0.1, help="A fade of so many seconds; may be repeated.")] = None,
    quiet_s: Annotated[float, typer.Option("--quiet", min=5.0, help="Seconds of peace to measure latency over.")] = QUIET_S,
    as_json: JsonOption = False,
) -> None:
    """Samples and events from the simulator to a subscriber, while gateway and broker are killed and the radio fades."""
    _finish([asyncio.run(bench_data(kills, FADES_S if fade_s is None else fade_s, quiet_s))], as_json)


@app.command("soak")
def soak(
    session_s: Annotated[float, typer.Option("--for", min=60.0, max=7200.0, help="Seconds of the session.")] = SESSION_S,
    flat_after_s: Annotated[float, typer.Option(min=0.0, help="From this second on the memory must not grow.")] = FLAT_AFTER_S,
    as_json: JsonOption = False,
) -> None:
    """One session of half an hour in real time: memory flat, history small and whole, nothing left over. Not part of ``all``."""
    _finish([asyncio.run(bench_soak(session_s, flat_after_s))], as_json)


@app.command("host")
def host(as_json: JsonOption = False) -> None:
    """How late this machine wakes the pacer, beside asyncio.sleep, APScheduler and C, idle and loaded."""
    _finish([asyncio.run(bench_host())], as_json)


@app.command("timing", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def timing(context: typer.Context) -> None:
    """When steps really happen: four methods on the same radios, and a minute in real time."""
    raise typer.Exit(_run_program("timing", context.args))


@app.command("control", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def control(context: typer.Context) -> None:
    """How well both ways to hold a pressure do over 300 scattered plants."""
    raise typer.Exit(_run_program("control", context.args))


@app.command("safety", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def safety(context: typer.Context) -> None:
    """What a wrap does about every fault, alone and in pairs, that it raises no alarm without one, and a million hostile writes."""
    raise typer.Exit(_run_program("safety", context.args))


@app.command("plant", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def plant(context: typer.Context) -> None:
    """The simulated air against scipy's Radau on the same inputs, and how much faster than time it runs."""
    raise typer.Exit(_run_program("plant", context.args))


@app.command("all")
def run_all(as_json: JsonOption = False) -> None:
    """Every bench there is but ``soak`` and ``cluster``, which take long or want more; ``dashboard`` where there is a Chromium."""
    ok = _show([asyncio.run(bench()) for bench in _BENCHES.values()], as_json)
    lacking = find_lacking()
    if lacking is None:
        ok = _show([asyncio.run(bench_dashboard_short())], as_json) and ok
    else:
        typer.echo(f"NOT RUN: {lacking}", err=True)
    codes = [_run_program(name, ["--json"] if as_json else []) for name in _PROGRAMS]
    raise typer.Exit(0 if ok and not any(codes) else 1)


def _run_program(name: str, arguments: list[str]) -> int:
    # It drives gateway and simulator in one process, which this package must not import.
    return subprocess.run([sys.executable, "-m", "wavewrap_bench", name, *arguments], check=False).returncode


def _finish(reports: list[BenchReport], as_json: bool) -> None:
    raise typer.Exit(0 if _show(reports, as_json) else 1)


def _show(reports: list[BenchReport], as_json: bool) -> bool:
    for report in reports:
        if as_json:
            typer.echo(json.dumps({**report.model_dump(exclude={"details"}), **report.details}))
        else:
            print_report(report)
    return all(report.ok for report in reports)
