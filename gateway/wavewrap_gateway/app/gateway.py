"""The composition root: broker, publisher, radio, wraps and bridge of one gateway run, opened and closed in the right order."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

from wavewrap_gateway.adapters.ble import open_radio
from wavewrap_gateway.adapters.broker import EMBEDDED_VERSION, EmbeddedBroker
from wavewrap_gateway.adapters.mqtt import MqttPublisher
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.pacing import open_pacer
from wavewrap_gateway.adapters.program_files import load_program
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.app.history import describe_session, open_history
from wavewrap_gateway.app.known_wraps import load_known_wraps
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_gateway.runtime.bridge import Bridge, Clocks, SessionView
from wavewrap_gateway.runtime.publishing import BrokerChange, BrokerDown
from wavewrap_gateway.runtime.recording import HistoryStore, SessionRecorder
from wavewrap_gateway.runtime.roster import find_wraps, linked
from wavewrap_gateway.runtime.session_runner import SessionRunner
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
        clocks: Clocks,
        rng: Random,
        history: HistoryStore | None,
    ) -> None:
        self._config = config
        self._publisher = publisher
        self._bridge = bridge
        self._lateness = lateness
        self._timer = timer
        self._clocks = clocks
        self._rng = rng
        self._history = history
        self._program: Program | None = None
        self._session_number = 0
        self.wraps = tuple(wraps)
        self.runner: SessionRunner | None = None
        self.session_id: str | None = None
        """Name of the last session in the history; ``None`` where nothing is recorded."""

    def prepare_session(self, source: str, duration_s: float | None) -> SessionRunner:
        """A session of the program ``source`` on every wrap. Raises :class:`wavewrap_protocol.errors.UsageError` or :class:`LinkError`."""
        self._session_number = self._rng.randrange(1, 1 << 32)
        runs: list[WrapRun] = []
        name = source
        for wrap in self.wraps:
            capabilities = wrap.link.capabilities
            if capabilities is None:
                raise LinkError(f"{wrap.name} has not said what it is")
            program = load_program(source, capabilities.chambers, self._config.ceiling_mmhg, capabilities.queue_depth)
            name, self._program = program.name, program
            wave = compile_wave(program, wrap.side, capabilities.chambers, duration_s)
            runs.append(WrapRun(wrap, wave, self._session_number, self._config.ceiling_mmhg, self._clocks.monotonic_s))
        self.runner = SessionRunner(name, runs, self._clocks.monotonic_s, self._lateness, self._timer)
        self.runner.observe = self._bridge.event
        return self.runner

    def view(self) -> SessionView | None:
        """The running session, ``None`` when there is none."""
        if self.runner is None:
            return None
        targets = {run.wrap.name: run.targets_mmhg() for run in self.runner.runs}
        return SessionView(self.runner.progress(), targets)

    async def play(self, runner: SessionRunner) -> SessionSummary:
        """Run ``runner`` to its end, vent included, publish its record and keep it in the history."""
        recorder = self._record(runner)
        summary: SessionSummary | None = None
        try:
            summary = await self._play(runner)
        finally:
            if recorder is not None:
                recorder.finish(summary, self._clocks.monotonic_s())
        return summary

    def _record(self, runner: SessionRunner) -> SessionRecorder | None:
        if self._history is None or self._program is None:
            return None
        unix_s = self._clocks.unix_s(self._clocks.monotonic_s())
        head = describe_session(self._config, self._program, self._session_number, runner, unix_s)
        recorder = SessionRecorder(self._history, head, runner.runs, self._clocks.unix_s)
        self._bridge.witness = recorder.take_event
        self.session_id = head.session_id
        return recorder

    async def _play(self, runner: SessionRunner) -> SessionSummary:
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
    clocks = Clocks(clock, lambda host_s: host_s + wall_offset_s)
    async with AsyncExitStack() as stack:
        settings = config.mqtt.settings()
        known = load_known_wraps(config.known_wraps)
        addresses = known.resolve(addresses)
        history = await stack.enter_async_context(open_history(config, lambda line: progress(f"wavewrap: {line}")))
        radio = await stack.enter_async_context(open_radio(config.radio, config.bumble_keys))
        if settings is None:
            broker = EmbeddedBroker()
            stack.push_async_callback(broker.close)
            url = await broker.start()
            settings = MqttSettings.from_url(url, base_topic=config.mqtt.base_topic, version=EMBEDDED_VERSION)
        publisher = MqttPublisher(settings, f"wavewrap-{config.gateway}")
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
        bridge = Bridge(config.gateway, wraps, publisher, clocks, lateness)
        bridge.announce(__version__, config.radio, settings.base_topic, pacer.granted)
        await stack.enter_async_context(linked(wraps))
        for wrap in wraps:
            progress(f"{wrap.side.value}: {wrap.name}, battery {wrap.link.battery_pct} %")
        publishing = asyncio.create_task(bridge.run())
        try:
            yield Gateway(config, wraps, publisher, bridge, lateness, pacer.timer, clocks, rng, history)
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
