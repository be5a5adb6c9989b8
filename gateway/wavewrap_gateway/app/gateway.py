"""The composition root: broker, publisher, radio, wraps and bridge of one gateway run, opened and closed in the right order."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

from wavewrap_gateway.adapters.ble import open_radio
from wavewrap_gateway.adapters.broker import EMBEDDED_VERSION, EmbeddedBroker
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.own_process import read_own_process
from wavewrap_gateway.adapters.pacing import open_pacer
from wavewrap_gateway.adapters.program_files import load_program
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.app.dashboard import start_dashboard
from wavewrap_gateway.app.history import History, open_history
from wavewrap_gateway.app.known_wraps import load_known_wraps
from wavewrap_gateway.app.outgoing import open_outgoing
from wavewrap_gateway.app.session_commands import allowed_commands, taking_requests
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.runtime.bridge import Bridge, Clocks, SessionView
from wavewrap_gateway.runtime.recall import Recall
from wavewrap_gateway.runtime.roster import find_wraps, linked
from wavewrap_gateway.runtime.session_desk import SessionDesk
from wavewrap_gateway.runtime.session_runner import SessionRunner
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_protocol import __version__
from wavewrap_protocol.payloads import SessionSummary

__all__ = ["Gateway", "boot_number", "open_gateway", "start_embedded_broker"]

Progress = Callable[[str], None]


class Gateway:
    """An open gateway with its wraps ready. Made by :func:`open_gateway`."""

    def __init__(self, config: GatewayConfig, wraps: Sequence[Wrap], desk: SessionDesk, history: History) -> None:
        self._config = config
        self._desk = desk
        self._history = history
        self.wraps = tuple(wraps)
        self.runner: SessionRunner | None = None

    @property
    def session_id(self) -> str | None:
        """Name of the last session in the history; ``None`` where nothing is recorded."""
        return self._history.last_id

    def prepare_session(self, source: str, duration_s: float | None) -> SessionRunner:
        """A session of the program ``source`` on every wrap. Raises :class:`wavewrap_protocol.errors.UsageError` or :class:`LinkError`."""

        def load(chambers: int, queue_depth: int) -> Program:
            return load_program(source, chambers, self._config.ceiling_mmhg, queue_depth)

        self.runner = self._desk.prepare(self.wraps, load, duration_s)
        return self.runner

    def view(self) -> SessionView | None:
        """The session, also when it has ended; ``None`` before there is one."""
        if self.runner is None:
            return None
        return SessionView(self.runner.progress(), {run.wrap.name: run for run in self.runner.runs})

    async def play(self, runner: SessionRunner) -> SessionSummary:
        """Run ``runner`` to its end, vent included, publish its record and keep it in the history."""
        return await self._desk.play(runner)


async def start_embedded_broker(stack: AsyncExitStack, config: GatewayConfig, port: int = 0) -> tuple[MqttSettings, EmbeddedBroker]:
    """A broker of our own that ends with ``stack``. Raises :class:`wavewrap_protocol.errors.BrokerError`."""
    broker = EmbeddedBroker(port, config.mqtt.listen, config.mqtt.users_file)
    stack.push_async_callback(broker.close)
    url = await broker.start()
    return config.mqtt.settings_of_own(url, EMBEDDED_VERSION), broker


def boot_number(wall_s: float) -> int:
    """Tells a run of the gateway that began at ``wall_s`` from every other, unless somebody sets the clock back to the millisecond."""
    return int(wall_s * 1000.0)


@asynccontextmanager
async def open_gateway(
    config: GatewayConfig, wanted: int, addresses: Sequence[str], rng: Random, progress: Progress
) -> AsyncIterator[Gateway]:
    """A gateway with ``wanted`` wraps (or those with ``addresses``, which may be names) ready. ``progress`` gets a line for each step.

    Raises :class:`wavewrap_protocol.errors.BrokerError`, :class:`LinkError` or :class:`wavewrap_protocol.errors.UsageError`.
    """
    loop = asyncio.get_running_loop()
    clock = loop.time
    wall_offset_s = time.clock_gettime(time.CLOCK_REALTIME) - clock()
    clocks = Clocks(clock, lambda host_s: host_s + wall_offset_s)

    def wall_s() -> float:
        return clock() + wall_offset_s

    async with AsyncExitStack() as stack:
        settings = config.mqtt.settings()
        known = load_known_wraps(config.known_wraps)
        addresses = known.resolve(addresses)
        store = await stack.enter_async_context(open_history(config, lambda line: progress(f"wavewrap: {line}"), clocks.unix_s))
        history = History(config, store, clock, clocks.unix_s)
        radio = await stack.enter_async_context(open_radio(config.radio, config.bumble_keys))
        embedded = settings is None
        if settings is None:
            settings, _ = await start_embedded_broker(stack, config)
        outgoing = await open_outgoing(stack, config, settings, wall_s, embedded=embedded)
        publisher = outgoing.publisher
        await publisher.start()
        progress(f"MQTT: {settings.safe_url}")
        progress(f"watch it: mosquitto_sub -h {settings.host} -p {settings.port} -t '{settings.base_topic}/#' -v")
        await start_dashboard(stack, config, settings, progress)
        progress(f"radio: {config.radio}, looking for {len(addresses) or wanted} wrap(s)")
        sightings = await find_wraps(radio, wanted, addresses, known.addresses(config.radio))
        names = known.names(config.names)
        wraps = [Wrap(radio, sighting, clock, Random(rng.random()), names) for sighting in sightings]
        lateness = Lateness()
        pacer = stack.enter_context(open_pacer(loop))
        bridge = Bridge(config.gateway, boot_number(wall_s()), wraps, publisher, clocks, lateness)
        bridge.process_figures = read_own_process
        outgoing.troubles.tell(bridge.event)
        bridge.announce(__version__, config.radio, settings.base_topic, pacer.granted, sorted(allowed_commands(config)))
        await stack.enter_async_context(linked(wraps))
        for wrap in wraps:
            progress(f"{wrap.side.value}: {wrap.name}, battery {wrap.link.battery_pct} %")
        recall = Recall(lambda: bridge.wraps, outgoing.sample_runs, history.late)
        work = [asyncio.create_task(bridge.run()), asyncio.create_task(recall.run())]
        desk = SessionDesk(
            bridge,
            publisher,
            lateness,
            pacer.timer,
            clock,
            rng,
            ceiling_mmhg=config.ceiling_mmhg,
            patience_s=config.mqtt.patience_s,
            record=history.record,
        )
        await stack.enter_async_context(taking_requests(settings, config, desk, wraps, clocks, bridge.event))
        try:
            yield Gateway(config, wraps, desk, history)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            bridge.publish_samples()
