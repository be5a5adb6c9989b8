"""The daemon, composition root of ``wavewrap gateway``: links to the known wraps held, sessions on request over MQTT, idle until asked.

It lives through the loss of broker and wraps. It never starts a session by itself, also not after a restart.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from random import Random
from typing import Any

from wavewrap_gateway.adapters.ble import open_radio
from wavewrap_gateway.adapters.broker import EmbeddedBroker
from wavewrap_gateway.adapters.mqtt import MqttPublisher
from wavewrap_gateway.adapters.mqtt_requests import MqttRequests
from wavewrap_gateway.adapters.own_process import read_own_process
from wavewrap_gateway.adapters.pacing import open_pacer
from wavewrap_gateway.adapters.program_files import own_programs, preset_names
from wavewrap_gateway.app.commands import Commands
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.app.dashboard import start_dashboard
from wavewrap_gateway.app.fleet import Fleet
from wavewrap_gateway.app.gateway import boot_number, start_embedded_broker
from wavewrap_gateway.app.history import History, open_history
from wavewrap_gateway.app.outgoing import open_outgoing
from wavewrap_gateway.core.backoff import Backoff
from wavewrap_gateway.core.home_assistant import (
    Topics,
    describe_gateway,
    describe_journal,
    describe_wrap,
    gateway_id,
    journal_id,
    wrap_id,
)
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.link_state import Ready
from wavewrap_gateway.runtime.bridge import Bridge, Clocks
from wavewrap_gateway.runtime.discovery import Discovery
from wavewrap_gateway.runtime.journal_watch import JournalWatch
from wavewrap_gateway.runtime.link_events import LinkChanged
from wavewrap_gateway.runtime.publishing import BrokerUp
from wavewrap_gateway.runtime.recall import Recall
from wavewrap_gateway.runtime.request_desk import RequestDesk
from wavewrap_gateway.runtime.session_desk import DRAIN_S, SessionDesk
from wavewrap_gateway.runtime.wrap import Wrap, topic_name
from wavewrap_gateway.runtime.wrap_keeper import WrapKeeper
from wavewrap_protocol import __version__
from wavewrap_protocol.errors import BrokerError
from wavewrap_protocol.payloads import TOPICS, Availability
from wavewrap_protocol.requests import CommandName

__all__ = ["Daemon", "open_daemon"]

LISTENING_S = 3.0
"""Who is told that the daemon is ready may ask at once. Choice: many times what a broker needs; one that is away is not waited for."""

BROKER_DELAYS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Choice: a broker that starts with the machine is there within seconds; one that is switched off is asked twice a minute."""

_log = logging.getLogger(__name__)


class Daemon:
    """An open daemon. Made by :func:`open_daemon`."""

    def __init__(
        self, broker: str, fleet: Fleet, desk: SessionDesk, commands: Commands, publisher: MqttPublisher, work: list[asyncio.Task[Any]]
    ) -> None:
        self.broker = broker
        self._fleet = fleet
        self._desk = desk
        self._commands = commands
        self._publisher = publisher
        self._work = work
        self._end = asyncio.Event()
        self._reason = ""

    def request_end(self, reason: str) -> None:
        """End: stop and vent what plays, then leave. The first reason counts."""
        if not self._end.is_set():
            self._reason = reason
            self._end.set()

    def status(self) -> str:
        """One line for a service manager."""
        if not self._publisher.connected:
            return "the MQTT broker is not there"
        if self._desk.sessions:
            told = (runner.progress() for runner in self._desk.sessions)
            return "; ".join(f"{one.program}: {one.state}, cycle {one.cycle} of {one.cycles}" for one in told)
        ready = sum(isinstance(wrap.link.state, Ready) for wrap in self._fleet.linked())
        return f"idle, {ready} of {len(self._fleet.known)} known wraps ready"

    async def run(self) -> bool:
        """Until :meth:`request_end`, or until a part of it fails for good, whose error this raises. Whatever comes, sessions vent first.

        Says whether every wrap that played has proved that it is vented.
        """
        ending = asyncio.create_task(self._end.wait())
        reason, vented = "the gateway failed", False
        try:
            done, _ = await asyncio.wait({ending, *self._work}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {ending}:
                task.result()
            reason = self._reason
        finally:
            ending.cancel()
            vented = await self._commands.end(reason)
        return vented


@asynccontextmanager
async def open_daemon(config: GatewayConfig, rng: Random, port: int, progress: Callable[[str], None]) -> AsyncIterator[Daemon]:
    """A daemon that is at work. ``port`` is that of a broker of our own, where the configuration names none; ``progress`` gets lines.

    Raises :class:`wavewrap_protocol.errors.LinkError` for a radio that is not there, :class:`BrokerError` where no broker of our own can be
    started, and :class:`wavewrap_protocol.errors.UsageError`.
    """
    loop = asyncio.get_running_loop()
    clock = loop.time

    def read_wall_s() -> float:
        # Read anew each time: it may be set while we run, on a host without a battery-backed clock above all.
        return time.clock_gettime(time.CLOCK_REALTIME)

    clocks = Clocks(clock, lambda host_s: host_s + read_wall_s() - clock())

    async with AsyncExitStack() as stack:
        settings = config.mqtt.settings()
        store = await stack.enter_async_context(open_history(config, _log.error, clocks.unix_s))
        radio = await stack.enter_async_context(open_radio(config.radio, config.bumble_keys))
        embedded: EmbeddedBroker | None = None
        if settings is None:
            settings, embedded = await start_embedded_broker(stack, config, port)
        progress(f"MQTT: {settings.safe_url}")
        await start_dashboard(stack, config, settings, progress)
        progress(f"radio: {config.radio}")
        outgoing = await open_outgoing(stack, config, settings, read_wall_s, embedded=embedded is not None)
        publisher = outgoing.publisher
        lateness = Lateness()
        pacer = stack.enter_context(open_pacer(loop))
        boot = boot_number(read_wall_s())
        bridge = Bridge(config.gateway, boot, (), publisher, clocks, lateness, idle_telemetry=config.mqtt.idle_telemetry)
        bridge.process_figures = read_own_process
        outgoing.troubles.tell(bridge.event)
        history = History(config, store, clock, clocks.unix_s)
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
        names: dict[str, str] = {}
        home = config.home_assistant

        def is_idle() -> bool:
            return not desk.sessions

        def take(wrap: Wrap) -> None:
            bridge.add(wrap)
            if home.enabled:
                # After the bridge, which then knows what the wrap is.
                wrap.listen(lambda _wrap, event: discovery.announce() if event == LinkChanged(Ready()) else None)

        keeper = WrapKeeper(radio, clock, rng, names, is_idle, take)
        fleet = Fleet(config, radio, keeper, bridge, names)
        commands = Commands(config, radio, fleet, desk, bridge, publisher)
        allowed = {*config.commands.allow, CommandName.STOP}
        requests = MqttRequests(settings, f"wavewrap-{config.gateway}-requests", [f"{home.prefix}/status"] if home.enabled else [])
        discovery = Discovery(home.prefix, partial(_describe, config, settings.base_topic, bridge, allowed), requests.retain, rng)
        stack.callback(discovery.close)
        if home.enabled:
            requests.on_up = discovery.announce_all
            requests.on_other = lambda _topic, body: discovery.on_status(body)
        requests_desk = RequestDesk(
            settings.base_topic,
            allowed,
            (home.prefix,),
            commands,
            requests,
            clock,
            read_wall_s,
            bridge.event,
        )
        requests.on_request = requests_desk.receive

        async def clean_up(name: str, serial: str | None) -> None:
            # What was published under the old name goes first, or it would come back.
            await publisher.drain(DRAIN_S)
            taken = name in {fleet.name_of(known) for known in fleet.known}
            for row in TOPICS.values():
                if row.retained and "{wrap}" in row.path and not taken:
                    requests.retain(f"{settings.base_topic}/{row.path.format(wrap=name)}", b"")
            if home.enabled and serial is not None:
                discovery.remove(wrap_id(topic_name(serial)))
            elif home.enabled:
                discovery.announce()

        fleet.on_gone = clean_up
        bridge.announce(__version__, config.radio, settings.base_topic, pacer.granted, sorted(allowed))
        publisher.publish("bridge_selection", commands.selection)
        for known in fleet.known:
            # An earlier run may have left "online" behind.
            publisher.publish("wrap_availability", Availability(state="offline"), fleet.name_of(known))
        stack.push_async_callback(keeper.close)
        publisher.add_listener(lambda change: requests.hurry() if isinstance(change, BrokerUp) else None)
        requests.start()
        stack.push_async_callback(requests.close)
        stack.push_async_callback(requests_desk.close)
        jobs: dict[str, Coroutine[Any, Any, None]] = {
            "broker": _keep_trying(publisher),
            "keeper": keeper.run(),
            "file": fleet.keep_following(is_idle),
            "bridge": bridge.run(),
            "recall": Recall(lambda: bridge.wraps, outgoing.sample_runs, history.late).run(),
        }
        if config.journal.publish:
            from wavewrap_gateway.adapters.recovery_journal import RecoveryJournal  # here, because SQLAlchemy takes its time to load

            journal = RecoveryJournal(config.store.get_secret_value(), config.gateway, read_wall_s)
            load = partial(asyncio.to_thread, journal.load_open)
            jobs["journal"] = JournalWatch(config.gateway, boot, load, publisher, read_wall_s, bridge.event, _log.error).run()
        else:
            # What an earlier run, in which it was switched on, has left behind.
            requests.retain(f"{settings.base_topic}/{TOPICS['bridge_journal'].path}", b"")
            if home.enabled:
                discovery.remove(journal_id(config.gateway))
        if embedded is not None:
            jobs["embedded broker"] = embedded.wait_ended()
        work = [asyncio.create_task(job, name=name) for name, job in jobs.items()]
        stack.callback(bridge.publish_samples)
        stack.push_async_callback(_cancel, work)
        if not await requests.wait_listening(LISTENING_S):
            _log.info("no broker takes requests yet: going on without")
        yield Daemon(settings.safe_url, fleet, desk, commands, publisher, work)


def _describe(config: GatewayConfig, base_topic: str, bridge: Bridge, allowed: Collection[CommandName]) -> dict[str, object]:
    """What Home Assistant is told, by object id."""
    topics = Topics(base_topic)
    programs = sorted({*preset_names(), *own_programs(config.programs)})
    found: dict[str, object] = {gateway_id(config.gateway): describe_gateway(config.gateway, __version__, topics, programs, allowed)}
    if config.journal.publish:
        found[journal_id(config.gateway)] = describe_journal(config.gateway, __version__, topics)
    for wrap in bridge.devices():
        slug = topic_name(wrap.serial)
        found[wrap_id(slug)] = describe_wrap(config.gateway, __version__, topics, wrap, slug, allowed)
    return found


async def _keep_trying(publisher: MqttPublisher) -> None:
    """Until the broker is there for the first time; from then on the publisher sees to it itself. Only an error ends this."""
    backoff = Backoff(BROKER_DELAYS_S)
    while True:
        try:
            await publisher.start()
            await asyncio.Event().wait()
        except BrokerError as cause:
            _log.error("%s", cause)
            await asyncio.sleep(backoff.next_delay_s())


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
