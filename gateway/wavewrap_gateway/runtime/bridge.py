"""Turns what wraps and sessions do into MQTT messages. Publishes only what devices said; wall time enters here and nowhere below.

Not responsible for delivery (the :class:`wavewrap_gateway.runtime.publishing.Publisher`).
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wavewrap_gateway.core.advice import explain_fault
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.link_state import BondLost, Failed, Lost, RadioDown, Ready, link_word
from wavewrap_gateway.runtime.link_figures import clock_quality, count_troubles, target_path, timing_so_far
from wavewrap_gateway.runtime.publishing import BrokerChange, BrokerDown, Publisher
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_link import Booted, FrameArrived, LinkChanged, LinkEvent, ReportArrived
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol.enums import Fault
from wavewrap_protocol.limits import VERSION_MAJOR, VERSION_MINOR
from wavewrap_protocol.payloads import (
    Availability,
    BridgeEvent,
    BridgeHealth,
    BridgeInfo,
    Devices,
    Pacing,
    ProcessFigures,
    SampleAccount,
    SessionProgress,
    SessionSummary,
    Telemetry,
    WrapEvent,
    WrapInfo,
    WrapState,
)
from wavewrap_protocol.reports import FaultReport, StateReport
from wavewrap_protocol.reports import Telemetry as Frame
from wavewrap_protocol.units import cmmhg_to_mmhg

__all__ = ["Bridge", "Clocks", "SessionView"]

STATE_PERIOD_S = 1.0
"""States go out at most once a second: each change is a row in somebody's recorder."""

STATE_REPEAT_S = 5.0
"""A live state is said again after this, so that whoever sees nothing for twice as long knows that it is none any more."""

HEALTH_PERIOD_S = 5.0

MISSING_RUNS = 50
"""Runs of missing samples that an account names. Choice: a kilobyte; the count beside them is of all."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """``monotonic_s`` is the gateway's time line, ``unix_s`` turns a point on it into wall time."""

    monotonic_s: Callable[[], float]
    unix_s: Callable[[float], float]


@dataclass(frozen=True, slots=True)
class SessionView:
    """What a running session shows of itself; ``runs`` has what each of its wraps plays, by the wrap's name."""

    progress: SessionProgress
    runs: Mapping[str, WrapRun]

    @property
    def targets_mmhg(self) -> dict[str, tuple[float, ...]]:
        """What each chamber is told to be now, by wrap name."""
        return {name: run.targets_mmhg() for name, run in self.runs.items()}


class Bridge:
    """Publishes for ``wraps`` under the gateway id ``gateway``; ``boot`` tells this run of it from every other.

    Live samples of wraps that are in no session are published only with ``idle_telemetry``.
    """

    def __init__(
        self,
        gateway: str,
        boot: int,
        wraps: Sequence[Wrap],
        publisher: Publisher,
        clocks: Clocks,
        lateness: Lateness,
        *,
        idle_telemetry: bool = True,
    ) -> None:
        self._gateway = gateway
        self._boot = boot
        self._wraps: dict[Wrap, Callable[[], None]] = {}
        self._publisher = publisher
        self._clocks = clocks
        self._lateness = lateness
        self._idle_telemetry = idle_telemetry
        self._started_s = clocks.monotonic_s()
        self._event_numbers: defaultdict[str, int] = defaultdict(int)
        self._available: dict[str, bool] = {}
        self._published: dict[str, tuple[WrapState, float]] = {}
        self._accounts: dict[str, SampleAccount] = {}
        self._info: BridgeInfo | None = None
        self.session_view: Callable[[str], SessionView | None] = lambda _name: None
        """The running session of the wrap with that name."""
        self.is_in_session: Callable[[Wrap], bool] = lambda _wrap: False
        """Whether there is one: asked with every frame."""
        self.process_figures: Callable[[], ProcessFigures | None] = lambda: None
        """What this process uses, where that is known."""
        self._witnesses: list[Callable[[WrapEvent | BridgeEvent], None]] = []
        publisher.add_listener(self._on_broker)
        for wrap in wraps:
            self.add(wrap)

    @property
    def wraps(self) -> tuple[Wrap, ...]:
        """Those it publishes for."""
        return tuple(self._wraps)

    def add(self, wrap: Wrap) -> None:
        """Publish for ``wrap``, too."""
        self._wraps[wrap] = wrap.listen(self._on_event)

    def remove(self, wrap: Wrap) -> None:
        """Publish nothing more for ``wrap``."""
        self._wraps.pop(wrap)()
        self.rename(wrap.name)

    def rename(self, old: str) -> None:
        """No wrap is called ``old`` any more: what there is to say is said anew, under the new name."""
        self._available.pop(old, None)
        self._published.pop(old, None)
        self._accounts.pop(old, None)
        self._publish_devices()
        for wrap in self._wraps:
            self._publish_availability(wrap, isinstance(wrap.link.state, Ready))
        self.publish_states()

    def watch(self, witness: Callable[[WrapEvent | BridgeEvent], None]) -> Callable[[], None]:
        """Call ``witness`` with every event that is published; returns what ends that."""
        self._witnesses.append(witness)
        return lambda: self._witnesses.remove(witness)

    def _witness(self, event: WrapEvent | BridgeEvent) -> None:
        for witness in tuple(self._witnesses):
            witness(event)

    def announce(self, version: str, radio: str, base_topic: str, pacing: Pacing, commands: Sequence[str] = ()) -> None:
        """Publish what this gateway is."""
        self._info = BridgeInfo(
            version=version,
            protocol=f"{VERSION_MAJOR}.{VERSION_MINOR}",
            gateway=self._gateway,
            gateway_boot=self._boot,
            seq=self._number("info"),
            radio=radio,
            base_topic=base_topic,
            started_unix_s=self._unix_s(self._started_s),
            pacing=pacing,
            commands=list(commands),
        )
        self._publisher.publish("bridge_info", self._info)

    def _on_broker(self, change: BrokerChange) -> None:
        """A broker that comes back may have forgotten what it retained: say it all again."""
        if isinstance(change, BrokerDown) or self._info is None:
            return
        self._publisher.publish("bridge_info", self._info.model_copy(update={"seq": self._number("info")}))
        self._publish_devices()
        available, self._available = self._available, {}
        for wrap in self._wraps:
            if wrap.name in available:
                self._publish_availability(wrap, available[wrap.name])
        self._published.clear()
        self.publish_states()
        self._accounts.clear()
        self.publish_samples()

    def _unix_s(self, host_s: float) -> float:
        return round(self._clocks.unix_s(host_s), 6)

    def _number(self, of: str) -> int:
        self._event_numbers[of] += 1
        return self._event_numbers[of]

    def _on_event(self, wrap: Wrap, event: LinkEvent) -> None:
        match event:
            case FrameArrived(frame, _):
                self._publish_frame(wrap, frame)
            case LinkChanged(state):
                if isinstance(state, Ready):
                    self._publish_devices()
                self._publish_availability(wrap, isinstance(state, Ready))
                text = state.reason if isinstance(state, Lost | RadioDown | Failed | BondLost) else link_word(state)
                self._publish_event(wrap, f"link_{link_word(state)}", text)
            case ReportArrived(StateReport() as report):
                fault = "" if report.fault is Fault.NONE else f", fault {report.fault.name.lower()}"
                text = f"{report.state.name.lower()} because of {report.cause.name.lower()}{fault}"
                self._publish_event(wrap, "device_state", text, report.tick)
            case ReportArrived(FaultReport() as report):
                where = "" if report.chamber == 0xFF else f" in chamber {report.chamber + 1}"
                meaning = "" if report.fault is Fault.NONE else f": {explain_fault(report.fault)}"
                text = f"{report.fault.name.lower()}{where} at {cmmhg_to_mmhg(report.value_cmmhg):.1f} mmHg{meaning}"
                self._publish_event(wrap, "fault", text, report.tick)
            case Booted():
                self._publish_event(wrap, "booted", "the wrap restarted")
            case _:
                pass

    def _publish_frame(self, wrap: Wrap, frame: Frame) -> None:
        wanted = self._idle_telemetry or frame.replay or self.is_in_session(wrap)
        if wrap.link.identity is None or not wanted:
            return
        sync = wrap.link.clock_sync
        columns = [[cmmhg_to_mmhg(value) for value in column] for column in zip(*frame.samples_cmmhg, strict=True)]
        estimate = sync.estimate
        self._publisher.publish(
            "wrap_telemetry",
            Telemetry(
                gateway=self._gateway,
                wrap=wrap.name,
                boot_id=sync.boot_id,
                seq=frame.seq,
                tick=frame.tick,
                period_ms=frame.period_ms,
                replay=frame.replay,
                unix_s=None if estimate is None else self._unix_s(estimate.host_at(sync.unwrap(frame.tick))),
                pressure_mmhg=columns,
            ),
            wrap.name,
        )

    def _publish_devices(self) -> None:
        devices = Devices(gateway=self._gateway, gateway_boot=self._boot, seq=self._number("devices"), wraps=self.devices())
        self._publisher.publish("bridge_devices", devices)

    def devices(self) -> list[WrapInfo]:
        """The wraps in use that have said who they are."""
        infos: list[WrapInfo] = []
        for wrap in self._wraps:
            identity, capabilities = wrap.link.identity, wrap.link.capabilities
            if identity is not None and capabilities is not None:
                infos.append(
                    WrapInfo(
                        id=wrap.name,
                        serial=identity.serial,
                        side=wrap.side,
                        model=identity.model,
                        firmware=identity.firmware,
                        chambers=capabilities.chambers,
                        protocol=f"{capabilities.version_major}.{capabilities.version_minor}",
                    )
                )
        return infos

    def _publish_availability(self, wrap: Wrap, available: bool) -> None:
        if wrap.link.identity is not None and self._available.get(wrap.name) is not available:
            self._available[wrap.name] = available
            self._publisher.publish("wrap_availability", Availability(state="online" if available else "offline"), wrap.name)

    def _publish_event(self, wrap: Wrap, kind: str, text: str, tick: int | None = None) -> None:
        if wrap.link.identity is None:
            # It has no name yet, and so no topic.
            self.event(kind, f"{wrap.name}: {text}")
            return
        now_s = self._clocks.monotonic_s()
        boot_id = wrap.link.capabilities.boot_id if wrap.link.capabilities is not None else None
        event = WrapEvent(
            gateway=self._gateway,
            gateway_boot=self._boot,
            wrap=wrap.name,
            boot_id=boot_id,
            seq=self._number(f"{wrap.name}/event"),
            unix_s=self._unix_s(now_s),
            kind=kind,
            text=text,
            tick=tick,
        )
        self._publisher.publish("wrap_event", event, wrap.name)
        self._witness(event)

    def event(self, kind: str, text: str) -> None:
        """Publish something that happened to the gateway itself."""
        event = BridgeEvent(
            gateway=self._gateway,
            gateway_boot=self._boot,
            seq=self._number("event"),
            unix_s=self._unix_s(self._clocks.monotonic_s()),
            kind=kind,
            text=text,
        )
        self._publisher.publish("bridge_event", event)
        self._witness(event)

    def publish_summary(self, summary: SessionSummary) -> None:
        """Publish the record of a session on the topic of each of its wraps."""
        for wrap in summary.wraps:
            seq = self._number(f"{wrap.id}/session")
            key = {"gateway": self._gateway, "gateway_boot": self._boot, "seq": seq, "historical": False}
            self._publisher.publish("wrap_session", summary.model_copy(update=key), wrap.id)

    async def run(self) -> None:
        """States on change and health every few seconds, until cancelled."""
        health_s = 0.0
        while True:
            # On a grid shared with the links' checks: one wake-up for all of them.
            await asyncio.sleep(STATE_PERIOD_S - self._clocks.monotonic_s() % STATE_PERIOD_S)
            self.publish_states()
            now_s = self._clocks.monotonic_s()
            if now_s >= health_s:
                health_s = now_s + HEALTH_PERIOD_S
                self._publisher.publish("bridge_health", self.health())
                self.publish_samples()

    def publish_states(self) -> None:
        """Publish the state of each wrap that changed since the last call, or was said long ago."""
        now_s = self._clocks.monotonic_s()
        for wrap in self._wraps:
            if wrap.link.identity is None:
                continue
            state = self._state(wrap, self.session_view(wrap.name))
            published, said_s = self._published.get(wrap.name, (None, 0.0))
            # The clock's figures grow old by themselves, which is no news.
            news = published is None or published.model_copy(update={"clock": state.clock}) != state
            if news or (state.pressure_mmhg is not None and now_s - said_s >= STATE_REPEAT_S):
                self._published[wrap.name] = (state, now_s)
                numbered = state.model_copy(update={"seq": self._number(f"{wrap.name}/state")})
                self._publisher.publish("wrap_state", numbered, wrap.name)

    def _state(self, wrap: Wrap, view: SessionView | None) -> WrapState:
        picture, link = wrap.picture, wrap.link
        now_s = self._clocks.monotonic_s()
        fresh = picture.is_fresh(now_s)
        run = None if view is None else view.runs.get(wrap.name)
        return WrapState(
            gateway=self._gateway,
            gateway_boot=self._boot,
            seq=0,  # numbered when it is published
            id=wrap.name,
            side=wrap.side,
            boot_id=link.capabilities.boot_id if link.capabilities is not None else None,
            link=link_word(link.state),
            device_state=picture.device_state.name.lower() if fresh and picture.device_state is not None else None,
            fault=None if picture.fault is Fault.NONE else picture.fault.name.lower(),
            pressure_mmhg=list(picture.pressure_mmhg) if fresh else None,
            target_mmhg=None if run is None else [round(value, 2) for value in run.targets_mmhg()],
            target_path=None if run is None else target_path(run, now_s, self._unix_s),
            timing_ms=None if run is None else timing_so_far(run),
            rssi_dbm=link.rssi_dbm,
            battery_pct=link.battery_pct,
            counts=count_troubles(link),
            clock=clock_quality(link.clock_sync, now_s),
            session=None if view is None else view.progress,
        )

    def health(self) -> BridgeHealth:
        """How the gateway is."""
        return BridgeHealth(
            gateway=self._gateway,
            gateway_boot=self._boot,
            seq=self._number("health"),
            uptime_s=round(self._clocks.monotonic_s() - self._started_s, 1),
            host_lateness_ms=self._lateness.quantiles(),
            host_lateness=self._lateness.histogram(),
            mqtt=self._publisher.counts(),
            outbox=self._publisher.outbox(),
            process=self.process_figures(),
        )

    def publish_samples(self) -> None:
        """Publish the account of each wrap's samples that changed since the last call."""
        for wrap in self._wraps:
            ledger, boot_id = wrap.link.samples, wrap.link.clock_sync.boot_id
            first, following = ledger.span
            if wrap.link.identity is None or following == 0 or ledger.epoch != boot_id & 0xFF:
                continue
            gaps = ledger.gaps()
            account = SampleAccount(
                gateway=self._gateway,
                gateway_boot=self._boot,
                seq=0,
                wrap=wrap.name,
                boot_id=boot_id,
                first=first,
                next=following,
                missing=sum(gap.last - gap.first + 1 for gap in gaps),
                missing_runs=[[gap.first, gap.last] for gap in gaps[:MISSING_RUNS]],
                dropped=self._publisher.dropped_samples(wrap.name),
            )
            if account != self._accounts.get(wrap.name):
                self._accounts[wrap.name] = account
                numbered = account.model_copy(update={"seq": self._number(f"{wrap.name}/samples")})
                self._publisher.publish("wrap_samples", numbered, wrap.name)
