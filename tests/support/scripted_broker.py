"""A peer that plays a broker by script: it answers CONNECT with given bytes and records every packet. It knows no client code."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CONNACK_V5 = bytes([0x20, 3, 0, 0, 0])
CONNACK_V311 = bytes([0x20, 2, 0, 0])


def connack_v5(reason: int = 0, properties: bytes = b"") -> bytes:
    """A CONNACK of MQTT 5."""
    return bytes([0x20, 3 + len(properties), 0, reason, len(properties)]) + properties


class ScriptedBroker:
    """``answers`` to CONNECT by protocol level (5 or 4): bytes to send, None to stay silent, empty to hang up.

    With ``puback_reason`` None no publish is acknowledged.
    """

    def __init__(self, answers: dict[int, bytes | None], puback_reason: int | None = None) -> None:
        self.port = 0
        self.levels: list[int] = []
        self.packets: list[tuple[int, bytes]] = []
        self._answers = answers
        self.puback_reason = puback_reason
        self._received = asyncio.Condition()
        self._writers: list[asyncio.StreamWriter] = []

    def published(self) -> list[bytes]:
        """Topics of the PUBLISH packets so far."""
        return [body[2 : 2 + int.from_bytes(body[:2])] for head, body in self.packets if head & 0xF0 == 0x30]

    def bodies(self, topic: str) -> list[bytes]:
        """What follows topic and packet id in the PUBLISH packets on ``topic`` so far."""
        head = len(topic).to_bytes(2) + topic.encode()
        return [body[len(head) + 2 :] for kind, body in self.packets if kind & 0xF0 == 0x30 and body.startswith(head)]

    def heads(self) -> list[int]:
        """Packet types so far, as the high half of the first byte."""
        return [head & 0xF0 for head, _ in self.packets]

    async def wait_for_packets(self, count: int, timeout_s: float = 5.0) -> None:
        """Wait until at least ``count`` packets have come."""
        async with asyncio.timeout(timeout_s), self._received:
            await self._received.wait_for(lambda: len(self.packets) >= count)

    def send(self, data: bytes) -> None:
        """Send to the client that connected last."""
        self._writers[-1].write(data)

    def hang_up(self) -> None:
        """Close the connection that was made last."""
        self._writers[-1].close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while True:
                head = (await reader.readexactly(1))[0]
                size, shift = 0, 0
                while True:
                    byte = (await reader.readexactly(1))[0]
                    size |= (byte & 0x7F) << shift
                    shift += 7
                    if not byte & 0x80:
                        break
                body = await reader.readexactly(size)
                self.packets.append((head, body))
                async with self._received:
                    self._received.notify_all()
                if head == 0x10:
                    self.levels.append(body[6])
                    answer = self._answers[body[6]]
                    if answer == b"":
                        return
                    if answer is not None:
                        writer.write(answer)
                elif head & 0xF0 == 0x30 and head & 0x06 and self.puback_reason is not None:
                    at = 2 + int.from_bytes(body[:2])
                    writer.write(bytes([0x40, 3]) + body[at : at + 2] + bytes([self.puback_reason]))
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the client left
        finally:
            writer.close()


@asynccontextmanager
async def run_scripted_broker(answers: dict[int, bytes | None], puback_reason: int | None = None) -> AsyncIterator[ScriptedBroker]:
    """A scripted broker on a free loopback port."""
    broker = ScriptedBroker(answers, puback_reason)
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        server.close()
        for writer in broker._writers:
            writer.close()
        await asyncio.sleep(0)  # the handlers see the end
        await server.wait_closed()
