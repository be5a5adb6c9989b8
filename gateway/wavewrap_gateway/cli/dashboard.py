"""``wavewrap dashboard``: the page for a gateway that runs elsewhere, or that was started without one."""

import asyncio
import json
import signal
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from wavewrap_dashboard.process import open_dashboard
from wavewrap_dashboard.settings import DashboardSettings
from wavewrap_gateway.app.config import GatewayConfig, load_config
from wavewrap_gateway.app.dashboard import dashboard_settings
from wavewrap_gateway.app.dashboard_config import DashboardConfig
from wavewrap_gateway.cli.config import ConfigOption
from wavewrap_gateway.cli.playing import SIGNALS, tell
from wavewrap_protocol.errors import UsageError

__all__ = ["dashboard"]


def dashboard(
    broker: Annotated[
        list[str] | None,
        typer.Option(
            "--broker",
            help="MQTT broker of a gateway, mqtt://host:port; several times for several brokers. None: the configured ones, login and all.",
        ),
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port instead of the configured one; 0: any.")] = None,
    base_topic: Annotated[
        list[str] | None,
        typer.Option("--base-topic", help="Under which a gateway speaks, on each --broker; several times for several gateways."),
    ] = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object when ready: the link.")] = False,
) -> None:
    """Serve the page of one gateway or several until Ctrl-C, on this machine only unless configured otherwise. Its end stops no session."""
    chosen = load_config(config, broker=broker[0] if broker else None)
    page = chosen.dashboard if port is None else chosen.dashboard.model_copy(update={"port": port})
    if base_topic:
        page = _show(page, "--base-topic", base_topics=base_topic)
    if broker:
        topics = {"base_topics": base_topic} if base_topic else {}
        page = _show(page, "--broker", brokers=[{"url": url, **topics} for url in broker[1:]])
    chosen = chosen.model_copy(update={"dashboard": page})
    raise typer.Exit(asyncio.run(_serve(chosen, as_json=as_json)))


def _show(page: DashboardConfig, option: str, **shown: object) -> DashboardConfig:
    """``page`` for those gateways. Raises :class:`UsageError`."""
    try:
        return DashboardConfig.model_validate({**page.model_dump(), **shown})
    except ValidationError as cause:
        raise UsageError(f"{option}: {cause.errors(include_url=False, include_input=False)[0]['msg']}") from None


async def _serve(config: GatewayConfig, *, as_json: bool) -> int:
    broker = config.mqtt.settings()
    brokers = [*([] if broker is None else [broker]), *(one.settings() for one in config.dashboard.brokers)]
    if not brokers:
        raise UsageError("no broker is configured: name that of the gateway with --broker mqtt://host:port, or in the table [mqtt]")
    settings = DashboardSettings.model_validate_json(dashboard_settings(config, broker))
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[signal.Signals] = loop.create_future()

    def end(number: signal.Signals) -> None:
        if not ended.done():
            ended.set_result(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, end, number)
    async with open_dashboard(settings) as page:
        tell(f"MQTT: {', '.join(one.safe_url for one in brokers)}")
        if as_json:
            typer.echo(json.dumps({"url": page.url}))
        else:
            tell(f"dashboard: {page.url}")
        failed = asyncio.ensure_future(page.wait())
        waiting: set[asyncio.Future[Any]] = {ended, failed}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
        failed.cancel()
    return 128 + ended.result() if ended.done() else 1
