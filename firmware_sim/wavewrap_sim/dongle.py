"""Wraps on the air: each on a Bluetooth controller of its own, which is named as bumble does it (``usb:0``, ``hci-socket:0``).

Not responsible for the virtual air (:mod:`wavewrap_sim.air`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bumble.host import Host
from bumble.transport import open_transport
from bumble.transport.common import Transport

from wavewrap_protocol.errors import LocalError, UsageError

__all__ = ["open_dongle"]

OPEN_S = 10.0
"""Longest wait for a transport. Choice: a serial adapter that is there opens at once."""


@asynccontextmanager
async def open_dongle(spec: str, lost: Callable[[str], None]) -> AsyncIterator[Host]:
    """A bumble host on the controller ``spec``; ``lost`` gets a sentence when that is gone.

    Raises :class:`UsageError` for a name that cannot be read and :class:`LocalError` for a controller that cannot be had.
    """
    transport = await _open(spec)
    open_ = True

    def on_flush() -> None:
        if open_:
            lost(f"the controller at {spec} is gone: plug it in again, then start again")

    try:
        host = Host(transport.source, transport.sink)
        host.on("flush", on_flush)
        yield host
    finally:
        open_ = False
        await transport.close()


async def _open(spec: str) -> Transport:
    # A transport lets out whatever its library raises (usb1's errors and bumble's have no root in common).
    try:
        async with asyncio.timeout(OPEN_S):
            (opened,) = await asyncio.gather(open_transport(spec), return_exceptions=True)
    except TimeoutError as cause:
        raise LocalError(f"no controller at {spec}: no answer in time: see that it is plugged in and that nothing else uses it") from cause
    if isinstance(opened, Transport):
        return opened
    if isinstance(opened, ValueError):
        raise UsageError(f"--radio {spec!r}: {opened}: write it as usb:0, serial:/dev/ttyACM0,1000000 or hci-socket:0") from opened
    detail = str(opened) or type(opened).__name__
    raise LocalError(f"no controller at {spec}: {detail}: see that it is plugged in, that you may use it and BlueZ does not") from opened
