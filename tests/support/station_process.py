"""``python -m tests.support.station_process FOLDER``: a :class:`WrapStation` behind two loopback ports, until standard input ends.

On the first one each connection is a Bluetooth controller for Linux (HCI), on the second one a line of JSON in, ``[name, arguments]``, is
answered by one. Says the two on its first line of standard output.
"""

import asyncio
import json
import os
import sys
from functools import partial
from pathlib import Path

from tests.support.wrap_station import SCENARIO, WrapStation
from wavewrap_sim.air import Air
from wavewrap_sim.compiled import fastest_kernel
from wavewrap_sim.hci_server import HciServer


async def answer(station: WrapStation, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One caller, any number of calls."""
    while line := await reader.readline():
        name, arguments = json.loads(line)
        try:
            made = {"made": await station.call(name, arguments)}
        except Exception as cause:  # noqa: BLE001  # whoever called is told, and fails
            made = {"error": f"{type(cause).__name__}: {cause}"}
        writer.write(json.dumps(made).encode() + b"\n")
        await writer.drain()
    writer.close()


async def serve(folder: Path) -> None:
    """Until standard input ends."""
    fastest_kernel()
    air = Air(SCENARIO)
    station = WrapStation(air, folder)
    hci = HciServer(air, for_linux=True)
    hci_port = await hci.start("127.0.0.1", 0)
    control = await asyncio.start_server(partial(answer, station), "127.0.0.1", 0)
    print(f"{hci_port} {control.sockets[0].getsockname()[1]}", flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 4096) else ended.set())
    await ended.wait()
    control.close()
    await station.end()
    await hci.close()


if __name__ == "__main__":
    given = Path(sys.argv[1])
    given.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(given))
