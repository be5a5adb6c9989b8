"""Turns what wraps and sessions do into MQTT messages. Publishes only what devices said; wall time enters here and nowhere below.

Not responsible for delivery (the :class:`wavewrap_gateway.runtime.publishing.Publisher`).
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wavewrap_gateway.core.advice import explain_fault
from wavewrap_gateway.core.clock_sync import ClockSync
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.link_state import BondLost, Failed, Lost, RadioDown, Ready, link_word
from wavewrap_gateway.runtime.publishing import BrokerChange, BrokerDown, Publisher
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_link import Booted, FrameArrived, LinkChanged, LinkEvent, ReportArrived, WrapLink
from wavewrap_protocol.enums import Fault
from wavewrap_protocol.limits import VERSION_MAJOR, VERSION_MINOR
from wavewrap_protocol.payloads import (
    Availability,
    BridgeEvent,
    BridgeHealth,
    BridgeInfo,
    ClockQuality,
    Devices,
    LinkCounts,
    Pacing,
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

__all__ = ["Bridge", "Clocks", "SessionView", "clock_quality"]

STATE_PERIOD_S = 1.0
"""States go out at most once a second: each change is a row in somebody's recorder."""

HEALTH_PERIOD_S = 5.0


@dataclass(frozen=True, slots=True)
class Clocks:
    """``monotonic_s`` is the gateway's time line, ``unix_s`` turns a point on it into wall time."""

    monotonic_s: Callable[[], float]
    unix_s: Callable[[float], float]


@dataclass(frozen=True, slots=True)
class SessionView:
    """What a running session shows of itself; ``targets_mmhg`` is by wrap name."""

    progress: SessionProgress
    targets_mmhg: dict[str, tuple[float, ...]]


class Bridge:
    """Publishes for ``wraps`` under the gateway id ``gateway``."""

    def __init__(self, gateway: str, wraps: Sequence[Wrap], publisher: Publisher, clocks: Clocks, lateness: Lateness) -> None:
        self._gateway = gateway
        self._wraps = tuple(wraps)
        self._publisher = publisher
        self._clocks = clocks
        self._lateness = lateness
        self._started_s = clocks.monotonic_s()
        self._event_numbers: defaultdict[str, int] = defaultdict(int)
        self._available: dict[str, bool] = {}
        self._published: dict[str, WrapState] = {}
        self._info: BridgeInfo | None = None
        self.session_view: Callable[[], SessionView | None] = lambda: None
        publisher.add_listener(self._on_broker)
        for wrap in wraps:
            wrap.listen(self._on_event)

    def announce(self, version: str, radio: str, base_topic: str, pacing: Pacing) -> None:
        """Publish what this gateway is."""
        self._info = BridgeInfo(
            version=version,
            protocol=f"{VERSION_MAJOR}.{VERSION_MINOR}",
            gateway=self._gateway,
            radio=radio,
            base_topic=base_topic,
            started_unix_s=self._unix_s(self._started_s),
            pacing=pacing,
        )
        self._publisher.publish("bridge_info", self._info)

    def _on_broker(self, change: BrokerChange) -> None:
        """A broker that comes back may have forgotten what it retained: say it all again."""
        if isinstance(change, BrokerDown) or self._info is None:
            return
        self._publisher.publish("bridge_info", self._info)
        self._publish_devices()
        available, self._available = self._available, {}
        for wrap in self._wraps:
            if wrap.name in available:
                self._publish_availability(wrap, available[wrap.name])
        self._published.clear()
        self.publish_states()

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
        if wrap.link.identity is None:
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
        self._publisher.publish("bridge_devices", Devices(wraps=infos))

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
        self._publisher.publish(
            "wrap_event",
            WrapEvent(
                gateway=self._gateway,
                wrap=wrap.name,
                boot_id=boot_id,
                seq=self._number(wrap.name),
                unix_s=self._unix_s(now_s),
                kind=kind,
                text=text,
                tick=tick,
            ),
            wrap.name,
        )

    def event(self, kind: str, text: str) -> None:
        """Publish something that happened to the gateway itself."""
        now_s = self._clocks.monotonic_s()
        self._publisher.publish(
            "bridge_event",
            BridgeEvent(gateway=self._gateway, seq=self._number(""), unix_s=self._unix_s(now_s), kind=kind, text=text),
        )

    def publish_summary(self, summary: SessionSummary) -> None:
        """Publish the record of a session on the topic of each of its wraps."""
        for wrap in summary.wraps:
            self._publisher.publish("wrap_session", summary, wrap.id)

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
                self._publish_health(now_s)

    def publish_states(self) -> None:
        """Publish the state of each wrap that changed since the last call."""
        view = self.session_view()
        for wrap in self._wraps:
            if wrap.link.identity is None:
                continue
            state = self._state(wrap, view)
            published = self._published.get(wrap.name)
            # The clock's figures grow old by themselves, which is no news.
            if published is None or published.model_copy(update={"clock": state.clock}) != state:
                self._published[wrap.name] = state
                self._publisher.publish("wrap_state", state, wrap.name)

    def _state(self, wrap: Wrap, view: SessionView | None) -> WrapState:
        picture, link = wrap.picture, wrap.link
        now_s = self._clocks.monotonic_s()
        fresh = picture.is_fresh(now_s)
        target_mmhg = None if view is None else view.targets_mmhg.get(wrap.name)
        return WrapState(
            gateway=self._gateway,
            id=wrap.name,
            side=wrap.side,
            boot_id=link.capabilities.boot_id if link.capabilities is not None else None,
            link=link_word(link.state),
            device_state=picture.device_state.name.lower() if fresh and picture.device_state is not None else None,
            fault=None if picture.fault is Fault.NONE else picture.fault.name.lower(),
            pressure_mmhg=list(picture.pressure_mmhg) if fresh else None,
            target_mmhg=None if target_mmhg is None else [round(value, 2) for value in target_mmhg],
            battery_pct=link.battery_pct,
            counts=_counts(link),
            clock=clock_quality(link.clock_sync, now_s),
            session=None if view is None else view.progress,
        )

    def _publish_health(self, now_s: float) -> None:
        self._publisher.publish(
            "bridge_health",
            BridgeHealth(
                gateway=self._gateway,
                uptime_s=round(now_s - self._started_s, 1),
                host_lateness_ms=self._lateness.quantiles(),
                host_lateness=self._lateness.histogram(),
                mqtt=self._publisher.counts(),
            ),
        )


def _counts(link: WrapLink) -> LinkCounts:
    counts = link.counts
    return LinkCounts(
        losses=counts.losses,
        reconnects=counts.reconnects,
        failed_connects=counts.failed_connects,
        out_of_reach=counts.out_of_reach,
        radio_downs=counts.radio_downs,
        lost_bonds=counts.lost_bonds,
        reboots=counts.reboots,
        lost_reports=link.lost_reports,
        garbled=link.garbled,
    )


def clock_quality(sync: ClockSync, now_s: float) -> ClockQuality | None:
    """How well a wrap's clock is known at ``now_s``; ``None`` before the first ping."""
    estimate = sync.estimate
    if estimate is None:
        return None
    return ClockQuality(
        offset_s=round(estimate.host_at(0), 6),
        uncertainty_ms=round(estimate.uncertainty_at(now_s) * 1000.0, 3),
        skew_ppm=round(estimate.skew_ppm, 1),
        age_s=round(sync.age_s(now_s), 1),
    )
