"""What each request does: the gateway's powers as MQTT commands. Everything here goes the way that the command line goes.

Not responsible for who may ask and how often (:mod:`wavewrap_gateway.core.request_rules`,
:mod:`wavewrap_gateway.runtime.request_desk`).
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from wavewrap_gateway.adapters.ble import BleakRadio
from wavewrap_gateway.adapters.program_files import find_program, load_program
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.app.fleet import Fleet
from wavewrap_gateway.app.known_wraps import KnownWrap
from wavewrap_gateway.app.program_list import list_programs
from wavewrap_gateway.core.advice import describe_fault
from wavewrap_gateway.core.link_state import Ready, link_word
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.core.request_rules import RefusedError
from wavewrap_gateway.runtime.acknowledging import acknowledge_fault, ask_fault
from wavewrap_gateway.runtime.bridge import Bridge
from wavewrap_gateway.runtime.exchange import require_ok
from wavewrap_gateway.runtime.pairing_steps import Paired, PairingSteps
from wavewrap_gateway.runtime.publishing import Publisher
from wavewrap_gateway.runtime.request_desk import Handler
from wavewrap_gateway.runtime.session_desk import SessionDesk
from wavewrap_gateway.runtime.session_runner import SessionRunner
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_protocol.commands import Identify
from wavewrap_protocol.enums import Fault
from wavewrap_protocol.errors import DeviceError, LinkError, LocalError, UsageError
from wavewrap_protocol.payloads import Selection, SessionSummary
from wavewrap_protocol.requests import (
    AcknowledgeRequest,
    BoostRequest,
    CommandName,
    ForgetRequest,
    HealthRequest,
    IdentifyRequest,
    PairRequest,
    PauseRequest,
    ProgramsRequest,
    RenameRequest,
    ResumeRequest,
    ScanRequest,
    SelectRequest,
    SessionsRequest,
    StartRequest,
    StopRequest,
)
from wavewrap_protocol.responses import (
    HealthData,
    HeardWrap,
    KnownWrapInfo,
    PairData,
    PastSession,
    ProgramsData,
    Reason,
    RunningSession,
    ScanData,
    SessionsData,
    StopData,
    WrapHealth,
)

__all__ = ["DEFAULT_PROGRAM", "Commands"]

DEFAULT_PROGRAM = "calf-wave"
"""Selected until somebody selects another."""

_log = logging.getLogger(__name__)


class Commands:
    """Implements :class:`wavewrap_gateway.runtime.request_desk.Handlers` for one gateway."""

    def __init__(
        self, config: GatewayConfig, radio: BleakRadio, fleet: Fleet, desk: SessionDesk, bridge: Bridge, publisher: Publisher
    ) -> None:
        self._config = config
        self._radio = radio
        self._fleet = fleet
        self._desk = desk
        self._bridge = bridge
        self._publisher = publisher
        self._pairing = PairingSteps(radio, self._make_way)
        self._plays: set[asyncio.Task[SessionSummary]] = set()
        self._stops: set[asyncio.Task[None]] = set()
        self._ending = False
        self.selection = Selection(program=DEFAULT_PROGRAM, duration_min=0.0)

    def table(self) -> dict[CommandName, Handler]:
        """As the port says."""
        return {
            CommandName.SCAN: self._scan,
            CommandName.PAIR: self._pair,
            CommandName.START: self._start,
            CommandName.PAUSE: self._pause,
            CommandName.RESUME: self._resume,
            CommandName.BOOST: self._boost,
            CommandName.ACKNOWLEDGE: self._acknowledge,
            CommandName.IDENTIFY: self._identify,
            CommandName.SELECT: self._select,
            CommandName.RENAME: self._rename,
            CommandName.FORGET: self._forget,
            CommandName.PROGRAMS: self._programs,
            CommandName.SESSIONS: self._sessions,
            CommandName.HEALTH: self._health,
        }

    # Stop.

    def stop(self, request: StopRequest, reason: str) -> StopData:
        """As the port says: sessions end and vent, and a wrap that is in none is told to stop as well."""
        named = None if request.wrap is None else self._fleet.linked_or_none(request.wrap)
        stopping: list[Wrap] = []
        for session in self._desk.sessions:
            wraps = [run.wrap for run in session.runs]
            if named is None or named in wraps:
                session.request_stop(reason)
                stopping += wraps
        for wrap in self._fleet.linked() if named is None else [named]:
            if wrap not in stopping and isinstance(wrap.link.state, Ready):
                stopping.append(wrap)
                self._spawn(_stop_wrap(wrap))
        return StopData(stopping=[wrap.name for wrap in stopping])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)

    async def end(self, reason: str) -> bool:
        """Stop every session, wait until it has vented and is published; whether every wrap has proved it."""
        self._ending = True
        await self._pairing.close()
        for session in self._desk.sessions:
            session.request_stop(reason)
        ended = await asyncio.gather(*self._plays)
        await asyncio.gather(*self._stops, return_exceptions=True)
        return all(summary.vented for summary in ended)

    # Sessions.

    async def _start(self, request: StartRequest) -> RunningSession:
        if self._ending:
            raise RefusedError(Reason.BUSY, "the gateway is ending: start when it is there again")
        if self._pairing.under_way:
            raise RefusedError(Reason.BUSY, "a pairing is under way: start when it is done")
        wraps = self._choose(request.wraps)
        source = find_program(request.program or self.selection.program, self._config.programs)
        duration_s = request.duration_s
        if request.program is None and duration_s is None and self.selection.duration_min > 0.0:
            duration_s = self.selection.duration_min * 60.0

        def load(chambers: int, queue_depth: int) -> Program:
            return load_program(source, chambers, self._config.ceiling_mmhg, queue_depth)

        runner = self._desk.prepare(wraps, load, duration_s)
        play = asyncio.create_task(self._desk.play(runner), name="session")
        self._plays.add(play)
        play.add_done_callback(self._plays.discard)
        armed = asyncio.create_task(runner.armed.wait())
        try:
            await asyncio.wait({play, armed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            armed.cancel()
        if not runner.armed.is_set():
            raise DeviceError(play.result().reason)
        return _running(runner)

    def _choose(self, asked: Sequence[str] | None) -> list[Wrap]:
        """The wraps of a session, left before right. Raises :class:`UsageError` or :class:`LinkError`."""
        if asked is not None:
            chosen = [self._fleet.ready(text) for text in dict.fromkeys(asked)]
        else:
            chosen = [wrap for wrap in self._fleet.all_ready() if self._desk.of(wrap) is None]
            if not chosen:
                raise LinkError("no wrap that this gateway knows is ready and free: switch it on and bring it near")
            sides = [wrap.side for wrap in chosen]
            if len(set(sides)) < len(sides):
                raise UsageError(f"{len(chosen)} wraps are ready, more than one pair: name those that are meant")
        if len({id(wrap) for wrap in chosen}) < len(chosen):
            raise UsageError("a wrap is named twice: name each once")
        return sorted(chosen, key=lambda wrap: (wrap.side, wrap.name))

    def _session(self, wrap: str | None) -> SessionRunner:
        if wrap is not None:
            # It may be out of reach for a moment and in its session all the same.
            meant = self._fleet.linked_or_none(self._fleet.find(wrap).serial)
            found = None if meant is None else self._desk.of(meant)
            if found is None:
                raise LocalError(f"{wrap} is in no session: start one first")
            return found
        if len(self._desk.sessions) != 1:
            raise LocalError(
                f"{len(self._desk.sessions)} sessions run: " + ("name a wrap of one" if self._desk.sessions else "start one first")
            )
        return self._desk.sessions[0]

    async def _pause(self, request: PauseRequest) -> RunningSession:
        session = self._session(request.wrap)
        await session.pause()
        return _running(session)

    async def _resume(self, request: ResumeRequest) -> RunningSession:
        session = self._session(request.wrap)
        await session.resume()
        return _running(session)

    async def _boost(self, request: BoostRequest) -> RunningSession:
        session = self._session(request.wrap)
        await session.boost(request.mmhg, None if request.chamber is None else request.chamber - 1)
        return _running(session)

    async def _select(self, request: SelectRequest) -> Selection:
        changes = {key: value for key in ("program", "duration_min") if (value := getattr(request, key)) is not None}
        if "program" in changes:
            load_program(find_program(changes["program"], self._config.programs), ceiling_mmhg=self._config.ceiling_mmhg)
        self.selection = self.selection.model_copy(update=changes)
        self._publisher.publish("bridge_selection", self.selection)
        return self.selection

    async def _programs(self, request: ProgramsRequest) -> ProgramsData:
        return await asyncio.to_thread(list_programs, self._config, request.chambers)

    async def _sessions(self, request: SessionsRequest) -> SessionsData:
        return await asyncio.to_thread(_read_history, self._config.store.get_secret_value(), request.limit)

    # Wraps.

    def _require_idle_radio(self, what: str) -> None:
        if self._desk.sessions:
            raise RefusedError(Reason.BUSY, f"{what}: a session plays and needs the radio: wait until it has ended")
        if self._pairing.under_way:
            raise RefusedError(Reason.BUSY, f"{what}: a pairing is under way: wait until it is done")

    async def _scan(self, request: ScanRequest) -> ScanData:
        self._require_idle_radio("scan")
        heard = await self._radio.scan(request.for_s)
        return ScanData(
            wraps=[
                HeardWrap(
                    address=one.address,
                    model=one.model,
                    side=one.side,
                    rssi_dbm=one.rssi_dbm,
                    pairing_window=one.pairing_window,
                    known_as=self._fleet.name_at(one.address),
                )
                for one in heard
            ]
        )

    async def _pair(self, request: PairRequest) -> PairData:
        if request.passkey is not None:
            if request.wrap is not None or request.name is not None:
                raise UsageError("pair: the second step takes the passkey and nothing else")
            return await self._remember(await self._pairing.finish(request.passkey))
        self._require_idle_radio("pair")
        address = None if request.wrap is None else self._fleet.address_of(request.wrap)
        if request.name is not None:
            self._fleet.check_name(request.name, request.wrap)
        begun = await self._pairing.begin(address, request.name, request.for_s)
        return await self._remember(begun) if isinstance(begun, Paired) else PairData(step="passkey_wanted", address=begun)

    async def _remember(self, paired: Paired) -> PairData:
        wrap = await self._fleet.add(paired)
        return PairData(step="paired", address=wrap.address, wrap=self._info(wrap))

    async def _make_way(self, address: str) -> None:
        await self._fleet.release_at(address)

    def _info(self, wrap: KnownWrap) -> KnownWrapInfo:
        return KnownWrapInfo(id=self._fleet.name_of(wrap), serial=wrap.serial, side=wrap.side, model=wrap.model, address=wrap.address)

    async def _acknowledge(self, request: AcknowledgeRequest) -> KnownWrapInfo:
        wrap = self._fleet.ready(request.wrap)
        fault = await ask_fault(wrap)
        if fault is None:
            raise DeviceError(f"{wrap.name} has no fault to acknowledge")
        if request.fault.upper() not in Fault.__members__ or Fault[request.fault.upper()] is not fault:
            raise DeviceError(f"{wrap.name} has {describe_fault(fault)}; acknowledge that one, when it is done")
        await acknowledge_fault(wrap, fault)
        return self._info(self._fleet.find(request.wrap))

    async def _identify(self, request: IdentifyRequest) -> KnownWrapInfo:
        wrap = self._fleet.ready(request.wrap)
        require_ok(await wrap.link.command(Identify(request.for_s)), wrap.name)
        return self._info(self._fleet.find(request.wrap))

    async def _rename(self, request: RenameRequest) -> KnownWrapInfo:
        self._require_free(request.wrap)
        return self._info(await self._fleet.rename(request.wrap, request.name))

    async def _forget(self, request: ForgetRequest) -> KnownWrapInfo:
        self._require_free(request.wrap)
        info = self._info(self._fleet.find(request.wrap))
        await self._fleet.forget(request.wrap)
        return info

    def _require_free(self, text: str) -> None:
        wrap = self._fleet.linked_or_none(text)
        if wrap is not None and self._desk.of(wrap) is not None:
            raise RefusedError(Reason.BUSY, f"{wrap.name} is in a session: wait until it has ended")

    async def _health(self, _request: HealthRequest) -> HealthData:
        wraps = []
        for known in self._fleet.known:
            wrap = self._fleet.linked_or_none(known.serial)
            fault = None if wrap is None or wrap.picture.fault is Fault.NONE else wrap.picture.fault.name.lower()
            ready = wrap is not None and isinstance(wrap.link.state, Ready)
            wraps.append(
                WrapHealth(
                    id=self._fleet.name_of(known),
                    serial=known.serial,
                    side=known.side,
                    link="not_seen" if wrap is None else link_word(wrap.link.state),
                    reason=None if ready else self._fleet.describe(known),
                    fault=fault,
                    battery_pct=None if wrap is None else wrap.link.battery_pct,
                )
            )
        return HealthData(gateway=self._bridge.health(), wraps=wraps, sessions=[_running(one) for one in self._desk.sessions])


def _read_history(place: str, limit: int) -> SessionsData:
    from wavewrap_gateway.adapters.store_reader import list_sessions  # here, because SQLAlchemy takes its time and memory to load

    return SessionsData(
        sessions=[
            PastSession(
                id=one.session_id,
                gateway=one.gateway,
                program=one.program,
                state=one.state.value,
                reason=one.reason or "",
                started_unix_s=one.started_unix_s,
                ended_unix_s=one.ended_unix_s,
                planned_s=one.planned_s,
                wraps=list(one.wraps),
            )
            for one in list_sessions(place, limit)
        ]
    )


def _running(session: SessionRunner) -> RunningSession:
    return RunningSession(wraps=[run.wrap.name for run in session.runs], progress=session.progress())


async def _stop_wrap(wrap: Wrap) -> None:
    try:
        await wrap.link.stop()
    except LinkError as cause:
        _log.info("%s could not be told to stop and plays nothing of ours: %s", wrap.name, cause)
