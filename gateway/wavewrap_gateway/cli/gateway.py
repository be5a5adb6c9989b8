"""``wavewrap gateway``: the daemon."""

import asyncio
import json
import os
import sys
from functools import partial
from random import Random
from typing import Annotated

import typer

from wavewrap_gateway.adapters.service_manager import open_service_manager
from wavewrap_gateway.app.config import GatewayConfig, load_config
from wavewrap_gateway.app.daemon import open_daemon
from wavewrap_gateway.cli.config import ConfigOption
from wavewrap_gateway.cli.playing import SIGNALS, SignalStop, tell, tell_both
from wavewrap_gateway.cli.run import BrokerOption
from wavewrap_gateway.cli.scan import RadioOption
from wavewrap_gateway.runtime.supervision import supervised
from wavewrap_protocol.errors import DeviceError

__all__ = ["gateway"]

PORT = 1883
"""IANA's port of MQTT, where a client looks for a broker."""


def gateway(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of a broker of our own, on loopback, where no broker is given.")] = PORT,
    radio: RadioOption = None,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object when ready: where it listens.")] = False,
) -> None:
    """Hold the links to the known wraps and do what is asked over MQTT, until Ctrl-C or SIGTERM, which stop and vent."""
    chosen = load_config(config, radio, broker)
    code = asyncio.run(_serve(chosen, port, as_json=as_json))
    raise typer.Exit(code)


async def _serve(config: GatewayConfig, port: int, *, as_json: bool) -> int:
    stop = SignalStop()
    task = asyncio.current_task()
    assert task is not None  # we are in one
    stop.install(partial(_cancel, task))
    try:
        async with (
            supervised(open_service_manager(os.environ), asyncio.get_running_loop().time) as supervision,
            open_daemon(config, Random(), port, tell_both(tell, supervision.say)) as daemon,
        ):

            def end() -> None:
                supervision.end("venting")
                daemon.request_end(SIGNALS[stop.received] if stop.received else "stopped")

            stop.install(end)
            supervision.begin(daemon.status)
            tell("ready")
            if as_json:
                typer.echo(json.dumps({"gateway": config.gateway, "mqtt": daemon.broker, "base_topic": config.mqtt.base_topic}))
                sys.stdout.flush()
            vented = await daemon.run()
    except asyncio.CancelledError:
        if stop.received is None:
            raise
        return 128 + stop.received
    if not vented:
        raise DeviceError("a session could not be proven vented when the gateway ended: take the wraps off")
    return 128 + stop.received if stop.received is not None else 0


def _cancel(task: asyncio.Task[object]) -> None:
    task.cancel()
