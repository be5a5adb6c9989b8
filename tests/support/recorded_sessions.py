"""A session on virtual wraps that is recorded to a real file, and what went past meanwhile."""

import asyncio
from pathlib import Path

from tests.support.virtual_sessions import RecordingPublisher, make_short_program, prepare_session, summarise
from tests.support.virtual_wraps import VirtualWraps
from wavewrap_gateway.adapters.store_reader import load_session
from wavewrap_gateway.adapters.store_writer import StoreWriter
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.app.history import describe_session
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.recorded_session import RecordedSession
from wavewrap_gateway.runtime.bridge import Bridge, Clocks
from wavewrap_gateway.runtime.recording import SessionRecorder
from wavewrap_gateway.runtime.session_runner import SessionRunner
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_link import FrameArrived, LinkEvent
from wavewrap_protocol.payloads import BridgeEvent, SessionSummary, WrapEvent

__all__ = ["CYCLE_S", "WALL_S", "Recorded"]

CYCLE_S = 9.0
"""Of the short program."""

WALL_S = 1_700_000_000.0
"""Wall time of the loop's second 0."""


class Recorded:
    """A session that is recorded in ``place``, and what went past meanwhile."""

    def __init__(self, place: Path, virtual: VirtualWraps, cycles: int) -> None:
        self.place = str(place)
        self.virtual = virtual
        self.told: list[str] = []
        clock = asyncio.get_running_loop().time
        clocks = Clocks(clock, lambda host_s: host_s + WALL_S)
        self.publisher = RecordingPublisher(clock)
        self._bridge = Bridge("attic", 1, virtual.wraps, self.publisher, clocks, Lateness())
        self.program = make_short_program()
        self.runner: SessionRunner = prepare_session(virtual, self.program, cycles * CYCLE_S)
        self.runner.observe = self._bridge.event
        self._writer = StoreWriter(self.place, "attic", self.told.append, lambda: WALL_S)
        self._writer.start()
        head = describe_session(GatewayConfig(gateway="attic"), self.program, 0xBEEF, self.runner, WALL_S + clock())
        self.head = head
        self._recorder = SessionRecorder(self._writer, head, self.runner.runs, clocks.unix_s)
        self._bridge.watch(self._recorder.take_event)
        self.seen: dict[str, dict[tuple[int, int], tuple[int, ...]]] = {}
        for wrap in virtual.wraps:
            wrap.listen(self._look)
        self._published = len(self.publisher.messages)
        self.summary: SessionSummary | None = None

    def _look(self, wrap: Wrap, event: LinkEvent) -> None:
        if isinstance(event, FrameArrived) and self.summary is None:
            frame = event.frame
            samples = self.seen.setdefault(wrap.name, {})
            samples |= {(frame.epoch, frame.seq + at): row for at, row in enumerate(frame.samples_cmmhg)}

    async def play(self) -> RecordedSession:
        """To the end; what the history has of it."""
        await self.runner.note_charges()
        outcome = await self.runner.run()
        await self.runner.note_charges()
        self.summary = summarise(self.runner, outcome)
        self._recorder.finish(self.summary, asyncio.get_running_loop().time())
        self._writer.close()
        assert self.told == []
        return load_session(self.place, "last")

    def events(self) -> list[tuple[str, int, str, str]]:
        """What was published since the session began."""
        found: list[tuple[str, int, str, str]] = []
        for message in self.publisher.messages[self._published :]:
            if isinstance(message.payload, WrapEvent | BridgeEvent):
                event = message.payload
                found.append((event.wrap if isinstance(event, WrapEvent) else "", event.seq, event.kind, event.text))
        return found
