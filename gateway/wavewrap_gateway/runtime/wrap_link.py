"""The link to one wrap: one task owns it, from the scan to the reconnect.

Rules: a fresh client and a fresh sighting for every attempt; subscribe before anything is started; every exchange is answered or fails;
silence is loss (a radio that says "connected" proves nothing). Not responsible for sessions
(:mod:`wavewrap_gateway.runtime.session_runner`).
"""

import asyncio
import logging
from collections.abc import Callable
from random import Random
from typing import TypeVar

from wavewrap_gateway.core.backoff import RADIO_DELAYS_S, Backoff
from wavewrap_gateway.core.clock_sync import ClockSync
from wavewrap_gateway.core.link_counts import LinkCounts
from wavewrap_gateway.core.link_state import (
    BondLost,
    Closed,
    Connecting,
    Failed,
    LinkState,
    Lost,
    Preparing,
    RadioDown,
    Ready,
    Searching,
    loss_cause,
)
from wavewrap_gateway.core.telemetry import SampleLedger
from wavewrap_gateway.runtime.clock_keeper import ClockKeeper
from wavewrap_gateway.runtime.exchange import Exchange
from wavewrap_gateway.runtime.link_events import Booted, FrameArrived, LinkChanged, LinkEvent, ReportArrived, WrapIdentity
from wavewrap_gateway.runtime.ports import (
    BondDoubtedError,
    BondLostError,
    Connection,
    NotPairedError,
    PairingWantedError,
    Radio,
    RadioDownError,
    Sighting,
)
from wavewrap_protocol import uuids
from wavewrap_protocol.commands import Command, Plan, Replay, Reports, Stop, Stream
from wavewrap_protocol.enums import Result
from wavewrap_protocol.errors import LinkError, RemoteError
from wavewrap_protocol.reports import Answer, Capabilities, Telemetry, TimePong, decode_report

__all__ = ["Booted", "FrameArrived", "LinkChanged", "LinkEvent", "ReportArrived", "WrapIdentity", "WrapLink"]

SCAN_S = 4.0
"""Choice: forty advertisements. No longer, for a scan that its daemon has died under hears nothing to its end, and does not know."""

CONNECT_S = 12.0
"""Choice: a busy adapter needs seconds; two that came to nothing are told within 30 s (see :data:`DOUBTS_MAX`)."""

DOUBTS_MAX = 2
"""So many connects in a row that a bonded, advertising wrap lets time out mean that it has forgotten the bond, and so many that one without
a bond lets go at once mean that it wants one. Choice: one happens on a busy radio, and whoever waits should know soon."""

SILENCE_CHECK_S = 1.0
SILENCE_S = 4.5
"""No frame for this long while streaming means that the link is dead. Choice: longer than the supervision timeout of 4 s that wraps ask
for, because a shorter fade heals by itself and faster than a new connection would."""

RSSI_UNKNOWN_DBM = 127
"""What a controller says that did not measure it (Bluetooth Core, Vol 4 Part E 7.7.65.2)."""

_REPORT_NUMBERS = 1 << 16
_log = logging.getLogger(__name__)
T = TypeVar("T")


class WrapLink:
    """Owns the connection to the wrap that ``sighting`` was last seen as. ``observe`` gets every event, in the loop's thread."""

    def __init__(
        self, radio: Radio, sighting: Sighting, observe: Callable[[LinkEvent], None], clock: Callable[[], float], rng: Random
    ) -> None:
        self._radio = radio
        self._address = sighting.address
        self._first_sighting: Sighting | None = sighting
        self._side = sighting.side
        self._observe = observe
        self._clock = clock
        self._rng = rng
        self._backoff = Backoff()
        self._radio_backoff = Backoff(RADIO_DELAYS_S)
        self._state: LinkState = Searching()
        self._exchange: Exchange | None = None
        self._changed = asyncio.Event()
        self._next_report: int | None = None
        self._accept_ahead = False
        self._frame_s = 0.0
        self._command_id = rng.randrange(_REPORT_NUMBERS)
        self._chores: asyncio.Queue[Command] = asyncio.Queue()
        self.identity: WrapIdentity | None = None
        self.capabilities: Capabilities | None = None
        self.battery_pct: int | None = None
        self.rssi_dbm: int | None = None
        """Strength of the advertisement that the newest link was made from."""
        self._keeper = ClockKeeper(sighting.address, clock, rng)
        self.lead = self._keeper.lead
        self.samples = SampleLedger()
        self._doubts = 0
        self._serves_everybody = False
        self.counts = LinkCounts()
        self.garbled = 0
        self.lost_reports = 0

    @property
    def state(self) -> LinkState:
        """Where the link is."""
        return self._state

    @property
    def clock_sync(self) -> ClockSync:
        """What is known of the wrap's clock."""
        return self._keeper.sync

    @clock_sync.setter
    def clock_sync(self, sync: ClockSync) -> None:
        """By another rule, before the link is up."""
        self._keeper.sync = sync

    @property
    def payload_bytes(self) -> int:
        """Bytes that one write carries now. Raises :class:`LinkError` while down."""
        return self._open_exchange().connection.payload_bytes

    def _enter(self, state: LinkState) -> None:
        self._state = state
        self.counts.enter(state)
        self._changed.set()
        _log.info("link %s: %s", self._address, state)
        self._observe(LinkChanged(state))

    async def wait_ready(self) -> None:
        """Return once the link is ready. Raises :class:`LinkError` when it has failed for good."""
        while not isinstance(self._state, Ready):
            if isinstance(self._state, Failed | BondLost):
                raise LinkError(self._state.reason)
            if isinstance(self._state, Closed):
                raise LinkError(f"the link to {self._address} is closed")
            self._changed.clear()
            await self._changed.wait()

    async def run(self) -> None:
        """Keep the link up until cancelled or failed for good."""
        try:
            while True:
                try:
                    await self._connect_once()
                except RemoteError as cause:
                    self._enter(Failed(f"{self._address}: {cause}"))
                    return
                except NotPairedError as cause:
                    self._enter(Failed(str(cause)))
                    return
                except BondLostError as cause:
                    self._enter(BondLost(str(cause)))
                    return
                except RadioDownError as cause:
                    if not (isinstance(self._state, RadioDown) and self._state.reason == str(cause)):
                        self._enter(RadioDown(str(cause)))
                    await asyncio.sleep(self._radio_backoff.next_delay_s())
                except LinkError as cause:
                    self._radio_backoff.reset()
                    delay_s = self._backoff.next_delay_s()
                    self._enter(Lost(loss_cause(self._state), str(cause), delay_s))
                    await asyncio.sleep(delay_s)
        finally:
            if not isinstance(self._state, Failed | BondLost):
                self._enter(Closed())

    async def _connect_once(self) -> None:
        """One connection, from the sighting to its loss, which is always a :class:`LinkError`."""
        sighting = await self._find()
        self.rssi_dbm = None if sighting.rssi_dbm == RSSI_UNKNOWN_DBM else sighting.rssi_dbm
        self._enter(Connecting(sighting.address))
        try:
            connection = await self._radio.connect(sighting, CONNECT_S)
            await self._use(connection)
        except (BondDoubtedError, PairingWantedError) as cause:
            self._doubts += 1
            if self._doubts < DOUBTS_MAX:
                raise
            if isinstance(cause, BondDoubtedError):
                raise BondLostError(self._address) from cause
            if self._serves_everybody:
                raise
            text = f"{self._address} hangs up on gateways that it is not paired with: open its pairing window and run 'wavewrap pair'"
            raise NotPairedError(text) from cause

    async def _use(self, connection: Connection) -> None:
        try:
            self._enter(Preparing())
            self._exchange = Exchange(connection)
            await self._prepare(connection)
            self._backoff.reset()
            self._radio_backoff.reset()
            self._doubts = 0
            self._serves_everybody = connection.bonded is False
            self._enter(Ready())
            await self._stay(connection)
        finally:
            exchange, self._exchange = self._exchange, None
            if exchange is not None:
                exchange.fail(LinkError(f"the link to {self._address} was lost"))
            await connection.disconnect()

    async def _find(self) -> Sighting:
        if self._first_sighting is not None:
            sighting, self._first_sighting = self._first_sighting, None
            return sighting
        if not isinstance(self._state, RadioDown):
            self._enter(Searching())
        found = await self._radio.scan(SCAN_S, lambda seen: any(one.address == self._address for one in seen))
        for one in found:
            if one.address == self._address:
                return one
        self._doubts = 0  # out of reach, which explains what was doubted
        raise LinkError(f"{self._address} is not advertising: switch the wrap on or bring it nearer")

    async def _prepare(self, connection: Connection) -> None:
        capabilities = Capabilities.decode(await connection.read(uuids.CAPABILITIES))
        self._chores = asyncio.Queue()
        known = self.capabilities is not None and self.capabilities.boot_id == capabilities.boot_id
        if not known:
            rebooted = self.capabilities is not None
            self.clock_sync.reset(capabilities.boot_id)
            self._next_report = None
            self.capabilities = capabilities
            if rebooted:
                self.counts.reboot()
                self._observe(Booted(capabilities.boot_id))
        facts = [
            (await connection.read(uuid)).decode("utf-8", errors="replace")
            for uuid in (uuids.SERIAL_NUMBER, uuids.MODEL_NUMBER, uuids.FIRMWARE_REVISION)
        ]
        self.identity = WrapIdentity(facts[0], facts[1], facts[2], self._side)
        await self.read_battery()
        await connection.subscribe(uuids.CONTROL, self._on_answer)
        await connection.subscribe(uuids.REPORT, self._on_report)
        await connection.subscribe(uuids.TIME, self._on_pong)
        await connection.subscribe(uuids.TELEMETRY, self._on_frame)
        self._frame_s = self._clock()
        answer = await self.command(Stream(enabled=1, batch=0))
        if answer.result is not Result.OK:
            raise LinkError(f"{self._address} refused to stream ({answer.result.name}): the adapter needs a larger ATT MTU")
        if known:
            self._catch_up()
        await self._keeper.warm_up(connection)

    def _catch_up(self) -> None:
        """Ask for all that was missed of this boot: whatever an earlier link was asked for and did not bring is asked for again."""
        if self._next_report is not None:
            self._chores.put_nowait(Reports(self._next_report))
        for gap in self.samples.gaps():
            self._chores.put_nowait(Replay(gap.epoch, gap.first, gap.last))

    async def _stay(self, connection: Connection) -> None:
        """Until the link is lost or falls silent."""
        work = [
            asyncio.create_task(job)
            for job in (self._keeper.run(connection), self._watch_silence(), self._do_chores(), connection.wait_lost())
        ]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in work:
                if task.done():
                    task.result()
            raise LinkError(f"the link to {self._address} was lost")
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _watch_silence(self) -> None:
        while True:
            # On a grid that every link shares: one wake-up for all of them.
            await asyncio.sleep(SILENCE_CHECK_S - self._clock() % SILENCE_CHECK_S)
            silent_s = self._clock() - self._frame_s
            if silent_s > SILENCE_S:
                raise LinkError(f"{self._address} has sent nothing for {silent_s:.1f} s")

    async def _do_chores(self) -> None:
        """Requests that only repair the books: replays and missed reports."""
        while True:
            chore = await self._chores.get()
            answer = await self.command(chore)
            if isinstance(chore, Reports):
                # What the wrap still has comes next, in order; what it has forgotten must not be waited for.
                self._accept_ahead = answer.detail > 0

    def _on_pong(self, data: bytes) -> None:
        returned_s = self._clock()
        pong = self._decoded(TimePong.decode, data)
        if pong is not None:
            self._keeper.take_pong(pong, returned_s)

    def add_departure(self, sent_s: float, received_tick: int) -> None:
        """Something that left here at ``sent_s`` was received at ``received_tick``."""
        self._keeper.add_departure(sent_s, received_tick)

    def _on_answer(self, data: bytes) -> None:
        answer = self._decoded(Answer.decode, data)
        if answer is not None and self._exchange is not None:
            self._exchange.resolve(answer)

    def _on_frame(self, data: bytes) -> None:
        frame = self._decoded(Telemetry.decode, data)
        if frame is None:
            return
        self._frame_s = self._clock()
        if not frame.replay:
            self.clock_sync.add_arrival(frame.sent_tick, self._frame_s)
        gap = self.samples.add(frame)
        if gap is not None:
            self._chores.put_nowait(Replay(gap.epoch, gap.first, gap.last))
        self._observe(FrameArrived(frame, self._frame_s))

    def _on_report(self, data: bytes) -> None:
        report = self._decoded(decode_report, data)
        if report is None:
            return
        if self._next_report is not None:
            ahead = (report.number - self._next_report) % _REPORT_NUMBERS
            if ahead >= _REPORT_NUMBERS // 2:
                return  # known already
            if ahead > 0 and not self._accept_ahead:
                self._chores.put_nowait(Reports(self._next_report))
                return  # it comes again, in order
            self.lost_reports += ahead
            self._accept_ahead = False
        self._next_report = (report.number + 1) % _REPORT_NUMBERS
        self._observe(ReportArrived(report))

    def _decoded(self, decode: Callable[[bytes], T], data: bytes) -> T | None:
        """What ``data`` says, or ``None`` for bytes that are no message: logged, counted, never acted on."""
        try:
            return decode(data)
        except RemoteError as cause:
            self.garbled += 1
            _log.warning("link %s: %s", self._address, cause)
            return None

    def _open_exchange(self) -> Exchange:
        if self._exchange is None:
            raise LinkError(f"the link to {self._address} is down")
        return self._exchange

    def next_command_id(self) -> int:
        """A ``cmd_id`` that the wrap does not remember."""
        self._command_id = (self._command_id + 1) % _REPORT_NUMBERS
        return self._command_id

    async def command(self, command: Command, cmd_id: int | None = None) -> Answer:
        """Send ``command`` and return the wrap's answer, whatever it says. Raises :class:`LinkError`.

        After that error the command may have been carried out: repeat it with the same ``cmd_id`` and it is carried out once.
        """
        return await self._open_exchange().command(self.next_command_id() if cmd_id is None else cmd_id, command)

    async def read_battery(self) -> int | None:
        """The charge, asked for now; ``None`` where the wrap does not know it. Raises :class:`LinkError`."""
        told = await self._open_exchange().connection.read(uuids.BATTERY_LEVEL)
        self.battery_pct = told[0] if told else None
        return self.battery_pct

    async def send_plan(self, plan: Plan) -> Answer:
        """Send ``plan`` and return the wrap's answer. Sending the same plan again after a :class:`LinkError` is safe."""
        return await self._open_exchange().plan(plan)

    async def stop(self, reason: int = 0) -> None:
        """STOP, both ways: without response for speed, with response for proof. Raises :class:`LinkError`."""
        connection = self._open_exchange().connection
        await connection.write(uuids.STOP, Stop(reason).encode(), response=False)
        await connection.write(uuids.STOP, Stop(reason).encode(), response=True)
