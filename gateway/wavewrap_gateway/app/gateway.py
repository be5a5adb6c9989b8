"""The composition root: broker, publisher, radio, wraps and bridge of one gateway run, opened and closed in the right order."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

from wavewrap_gateway.adapters.ble import open_radio
from wavewrap_gateway.adapters.broker import EMBEDDED_VERSION, EmbeddedBroker
from wavewrap_gateway.adapters.mqtt import MqttPublisher
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.outbox import Outbox, Trouble
from wavewrap_gateway.adapters.pacing import open_pacer
from wavewrap_gateway.adapters.program_files import load_program
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.app.known_wraps import load_known_wraps
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_gateway.runtime.bridge import Bridge, Clocks, SessionView
from wavewrap_gateway.runtime.message_queues import MessageQueues
from wavewrap_gateway.runtime.publishing import BrokerChange, BrokerDown
from wavewrap_gateway.runtime.recall import Recall
from wavewrap_gateway.runtime.roster import find_wraps, linked
from wavewrap_gateway.runtime.session_runner import SessionRunner
from wavewrap_gateway.runtime.storage import MEMORY_BOUNDS, MemoryStorage, Storage
from wavewrap_gateway.runtime.ticker import Timer
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol import __version__
from wavewrap_protocol.errors import LinkError
from wavewrap_protocol.payloads import SessionSummary

__all__ = ["Gateway", "open_gateway"]

DRAIN_S = 5.0
"""Longest wait for the broker to take what a session left."""

Progress = Callable[[str], None]

_log = logging.getLogger(__name__)


class Gateway:
    """An open gateway with its wraps ready. Made by :func:`open_gateway`."""

    def __init__(
        self,
        config: GatewayConfig,
        wraps: Sequence[Wrap],
        publisher: MqttPublisher,
        bridge: Bridge,
        lateness: Lateness,
        timer: Timer,
        clock: Callable[[], float],
        rng: Random,
    ) -> None:
        self._config = config
        self._publisher = publisher
        self._bridge = bridge
        self._lateness = lateness
        self._timer = timer
        self._clock = clock
        self._rng = rng
        self.wraps = tuple(wraps)
        self.runner: SessionRunner | None = None

    def prepare_session(self, source: str, duration_s: float | None) -> SessionRunner:
        """A session of the program ``source`` on every wrap. Raises :class:`wavewrap_protocol.errors.UsageError` or :class:`LinkError`."""
        session_id = self._rng.randrange(1, 1 << 32)
        runs: list[WrapRun] = []
        name = source
        for wrap in self.wraps:
            capabilities = wrap.link.capabilities
            if capabilities is None:
                raise LinkError(f"{wrap.name} has not said what it is")
            program = load_program(source, capabilities.chambers, self._config.ceiling_mmhg, capabilities.queue_depth)
            name = program.name
            wave = compile_wave(program, wrap.side, capabilities.chambers, duration_s)
            runs.append(WrapRun(wrap, wave, session_id, self._config.ceiling_mmhg, self._clock))
        self.runner = SessionRunner(name, runs, self._clock, self._lateness, self._timer)
        self.runner.observe = self._bridge.event
        return self.runner

    def view(self) -> SessionView | None:
        """The running session, ``None`` when there is none."""
        if self.runner is None:
            return None
        targets = {run.wrap.name: run.targets_mmhg() for run in self.runner.runs}
        return SessionView(self.runner.progress(), targets)

    async def play(self, runner: SessionRunner) -> SessionSummary:
        """Run ``runner`` to its end, vent included, and publish its record."""
        self._bridge.session_view = self.view
        patience = _BrokerPatience(self._config.mqtt.patience_s, runner.request_stop)
        forget = self._publisher.add_listener(patience.on_change)
        self._bridge.event("session_started", runner.progress().program)
        try:
            outcome = await runner.run()
        finally:
            forget()
            patience.cancel()
        self._bridge.event("session_ended", f"{outcome.ended.value}: {outcome.reason}")
        self._bridge.publish_states()
        self._bridge.publish_samples()
        if self._publisher.connected:
            await self._publisher.drain(DRAIN_S)
        summary = runner.summary(outcome, self._publisher.counts())
        self._bridge.publish_summary(summary)
        await self._publisher.drain(DRAIN_S)
        return summary


class _BrokerPatience:
    """Stops a session when the broker stays away."""

    def __init__(self, patience_s: float, stop: Callable[[str], None]) -> None:
        self._patience_s = patience_s
        self._stop = stop
        self._timer: asyncio.TimerHandle | None = None

    def on_change(self, change: BrokerChange) -> None:
        """The broker came or went."""
        self.cancel()
        if isinstance(change, BrokerDown):
            reason = f"the MQTT broker was gone for {self._patience_s:g} s ({change.reason}): bring it back, then start again"
            self._timer = asyncio.get_running_loop().call_later(self._patience_s, self._stop, reason)

    def cancel(self) -> None:
        """Wait no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


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

    def unix_s(host_s: float) -> float:
        return host_s + wall_offset_s

    async with AsyncExitStack() as stack:
        settings = config.mqtt.settings()
        known = load_known_wraps(config.known_wraps)
        addresses = known.resolve(addresses)
        radio = await stack.enter_async_context(open_radio(config.radio, config.bumble_keys))
        embedded = settings is None
        if settings is None:
            broker = EmbeddedBroker()
            stack.push_async_callback(broker.close)
            url = await broker.start()
            settings = MqttSettings.from_url(url, base_topic=config.mqtt.base_topic, version=EMBEDDED_VERSION)
        troubles = _Troubles()
        # What waits for somebody else's broker must not go to one that ends with this program, nor the other way round.
        outbox = (
            None
            if embedded or not config.outbox.enabled
            else await stack.enter_async_context(_open_outbox(config, settings, clock, unix_s, troubles))
        )
        storage: Storage = MemoryStorage(MEMORY_BOUNDS, lambda: unix_s(clock())) if outbox is None else outbox
        queues = MessageQueues(storage, lambda: unix_s(clock()), config.outbox.rules())
        publisher = MqttPublisher(settings, f"wavewrap-{config.gateway}", queues)
        await publisher.start()
        stack.push_async_callback(publisher.close)
        progress(f"MQTT: {settings.safe_url}")
        progress(f"watch it: mosquitto_sub -h {settings.host} -p {settings.port} -t '{settings.base_topic}/#' -v")
        progress(f"radio: {config.radio}, looking for {len(addresses) or wanted} wrap(s)")
        sightings = await find_wraps(radio, wanted, addresses, known.addresses(config.radio))
        names = known.names(config.names)
        wraps = [Wrap(radio, sighting, clock, Random(rng.random()), names) for sighting in sightings]
        lateness = Lateness()
        pacer = stack.enter_context(open_pacer(loop))
        boot = int(unix_s(clock()) * 1000.0)  # of no other run, unless somebody sets the clock back to the millisecond
        bridge = Bridge(config.gateway, boot, wraps, publisher, Clocks(clock, unix_s), lateness)
        troubles.tell(bridge.event)
        bridge.announce(__version__, config.radio, settings.base_topic, pacer.granted)
        await stack.enter_async_context(linked(wraps))
        for wrap in wraps:
            progress(f"{wrap.side.value}: {wrap.name}, battery {wrap.link.battery_pct} %")
        recall = Recall(wraps, {} if outbox is None else outbox.sample_runs)
        work = [asyncio.create_task(bridge.run()), asyncio.create_task(recall.run())]
        try:
            yield Gateway(config, wraps, publisher, bridge, lateness, pacer.timer, clock, rng)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            bridge.publish_samples()


class _Troubles:
    """Troubles of the outbox: a line on the log at once, an event as soon as there is a bridge to publish it."""

    def __init__(self) -> None:
        self._early: list[Trouble] = []
        self._publish: Callable[[str, str], None] | None = None

    def note(self, trouble: Trouble) -> None:
        """It happened."""
        _log.log(logging.WARNING if trouble.kind == "outbox_restored" else logging.ERROR, "%s", trouble.text)
        if self._publish is None:
            self._early.append(trouble)
        else:
            self._publish(trouble.kind, trouble.text)

    def tell(self, publish: Callable[[str, str], None]) -> None:
        """From now on, ``publish`` gets kind and text of each, and of those before."""
        self._publish = publish
        for trouble in self._early:
            publish(trouble.kind, trouble.text)
        self._early.clear()


@asynccontextmanager
async def _open_outbox(
    config: GatewayConfig, broker: MqttSettings, clock: Callable[[], float], unix_s: Callable[[float], float], troubles: _Troubles
) -> AsyncIterator[Outbox]:
    outbox = Outbox(config.outbox_file(broker), config.outbox.bounds(), lambda: unix_s(clock()), troubles.note)
    await outbox.open()
    try:
        yield outbox
    finally:
        await outbox.close()
