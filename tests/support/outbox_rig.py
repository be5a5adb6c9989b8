"""An outbox on a real file with the queues in front of it, as a gateway has them; the test is the broker."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.support.sample_payloads import BATCH, event, telemetry
from wavewrap_gateway.adapters.outbox import Outbox, Trouble
from wavewrap_gateway.runtime.message_queues import MessageQueues, Outgoing
from wavewrap_gateway.runtime.publishing import DataClass, encode_message
from wavewrap_gateway.runtime.storage import Bounds
from wavewrap_protocol.payloads import BridgeEvent, Telemetry

ROOMY = Bounds(100_000, 100_000_000, 1e6)


def unix_s() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)


@dataclass
class Rig:
    """An outbox and its queues, as a gateway has them; the test is the broker."""

    outbox: Outbox
    queues: MessageQueues
    troubles: list[Trouble] = field(default_factory=list)

    def event(self, number: int, text: str = "text") -> None:
        self.queues.put(encode_message("w", "bridge_event", event(number, text)))

    def telemetry(self, number: int) -> None:
        self.queues.put(encode_message("w", "wrap_telemetry", telemetry(number), "left"))

    async def commit(self) -> None:
        """Until everything that was handed in before has been dealt with."""
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        self.outbox._hand_over(partial(loop.call_soon_threadsafe, done.set))
        async with asyncio.timeout(10.0):
            await done.wait()
        await asyncio.sleep(0)

    def wait_for_thread(self) -> None:
        """Until the outbox's thread has ended."""
        if self.outbox._thread is not None:
            self.outbox._thread.join(10.0)

    async def until(self, troubles: int) -> None:
        """Until so many troubles have been told."""
        async with asyncio.timeout(10.0):
            while len(self.troubles) < troubles:
                await self.commit()

    async def take(self, count: int) -> list[Outgoing]:
        """The next ``count`` messages, as the storage brings them."""
        taken: list[Outgoing] = []
        async with asyncio.timeout(10.0):
            while len(taken) < count:
                outgoing = self.queues.take()
                if outgoing is None:
                    await self.commit()
                else:
                    taken.append(outgoing)
        return taken

    async def deliver_all(self) -> list[int]:
        """Connect a broker that takes everything: the numbers that it got."""
        got: list[int] = []
        self.queues.connect()
        self.queues.hurry(True)
        async with asyncio.timeout(20.0):
            while not self.queues.is_settled:
                while (outgoing := self.queues.take()) is not None:
                    got.append(number_of(outgoing.message.data_class, outgoing.message.body))
                    self.queues.acknowledge(outgoing)
                await self.commit()
        return got


def numbers_of(taken: Sequence[Outgoing]) -> list[int]:
    return [number_of(one.message.data_class, one.message.body) for one in taken]


def number_of(data_class: DataClass, body: bytes) -> int:
    if data_class is DataClass.TELEMETRY:
        return Telemetry.model_validate_json(body).seq // BATCH
    return BridgeEvent.model_validate_json(body).seq


@asynccontextmanager
async def rigged(path: Path, bounds: Bounds = ROOMY) -> AsyncIterator[Rig]:
    troubles: list[Trouble] = []
    outbox = Outbox(path, bounds, unix_s, troubles.append)
    await outbox.open()
    rig = Rig(outbox, MessageQueues(outbox, unix_s), troubles)
    try:
        yield rig
    finally:
        await outbox.close()
