"""The child process of the embedded broker: ``python -m wavewrap_gateway.adapters.broker_child PORT [ADDRESS [USERS_FILE]]``.

Listens on loopback unless told otherwise, which its parent does only with a file of users.
Writes one JSON line to standard output: ``{"port": n}`` once connections are accepted, or
``{"error": text}``. Ends with exit code 0 when standard input ends, which also happens when the parent dies.
"""

import asyncio
import json
import logging
import os
import signal
import sys

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType

HOST = "127.0.0.1"

PACKET_MAX_BYTES = 262144
"""Choice: twenty times the largest message of ours, Home Assistant's discovery. amqtt itself would take 256 MB from anybody."""

SHUTDOWN_S = 1.0  # choice: nothing here outlives the process, so a slow shutdown is not worth waiting for


class _LimitedReader:
    """amqtt's reader, that ends the connection of whoever announces a packet over the limit, before a byte of it is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = StreamReaderAdapter(reader)
        self._writer = writer

    async def read(self, n: int = -1) -> bytes:
        if n > PACKET_MAX_BYTES:
            self._writer.close()
            raise ConnectionResetError(f"packet of {n} bytes")
        return bytes(await self._reader.read(n))

    def feed_eof(self) -> None:
        self._reader.feed_eof()


async def serve(port: int, host: str = HOST, users_file: str | None = None) -> None:
    """Be a broker on ``port`` (0: any free one) until standard input ends."""
    # Of amqtt's plugins only one: its defaults log and publish statistics at 1.4 times the cost.
    plugins: dict[str, dict[str, object]] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    if users_file is not None:
        plugins = {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": users_file}}
    # The socket is ours and not amqtt's, because only so can the system choose the port; asyncio sets TCP_NODELAY on it.
    listener = ListenerConfig(type=ListenerType.EXTERNAL, bind=host)
    broker = Broker(BrokerConfig(listeners={"default": listener}, plugins=plugins))
    await broker.start()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await broker.external_connected(_LimitedReader(reader, writer), StreamWriterAdapter(writer), "default")

    parent_gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: _UntilEnd(parent_gone), sys.stdin)
    loop.add_signal_handler(signal.SIGTERM, parent_gone.set)
    # Ctrl-C reaches the whole terminal group; the gateway still has its last words to publish then.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    try:
        server = await asyncio.start_server(accept, host, port)
    except OSError as error:
        print(json.dumps({"error": os.strerror(error.errno) if error.errno else str(error)}), flush=True)
        return
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await parent_gone.wait()
    server.close()
    async with asyncio.timeout(SHUTDOWN_S):
        await broker.shutdown()


class _UntilEnd(asyncio.Protocol):
    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def connection_lost(self, _error: Exception | None) -> None:
        self._ended.set()


def main(arguments: list[str]) -> int:
    """Run the broker; the arguments are port, address and file of users."""
    logging.disable(logging.CRITICAL)  # amqtt warns about every client that leaves without a word
    try:
        asyncio.run(serve(int(arguments[0]), *arguments[1:3]))
    except TimeoutError:
        return 0  # the shutdown took too long; the process ends all the same
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
