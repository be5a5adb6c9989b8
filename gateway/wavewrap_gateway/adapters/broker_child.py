"""The child process of the embedded broker: ``python -m wavewrap_gateway.adapters.broker_child PORT``.

Listens on loopback only and writes one JSON line to standard output: ``{"port": n}`` once connections are accepted, or
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
SHUTDOWN_S = 1.0  # choice: nothing here outlives the process, so a slow shutdown is not worth waiting for


async def serve(port: int) -> None:
    """Be a broker on ``port`` (0: any free one) until standard input ends."""
    # Of amqtt's plugins only this one: its defaults log and publish statistics at 1.4 times the cost.
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    # The socket is ours and not amqtt's, because only so can the system choose the port; asyncio sets TCP_NODELAY on it.
    listener = ListenerConfig(type=ListenerType.EXTERNAL, bind=HOST)
    broker = Broker(BrokerConfig(listeners={"default": listener}, plugins=plugins))
    await broker.start()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await broker.external_connected(StreamReaderAdapter(reader), StreamWriterAdapter(writer), "default")

    parent_gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: _UntilEnd(parent_gone), sys.stdin)
    loop.add_signal_handler(signal.SIGTERM, parent_gone.set)
    # Ctrl-C reaches the whole terminal group; the gateway still has its last words to publish then.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    try:
        server = await asyncio.start_server(accept, HOST, port)
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
    """Run the broker; the only argument is the port."""
    logging.disable(logging.CRITICAL)  # amqtt warns about every client that leaves without a word
    try:
        asyncio.run(serve(int(arguments[0])))
    except TimeoutError:
        return 0  # the shutdown took too long; the process ends all the same
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
