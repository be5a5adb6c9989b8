"""The dashboard in a child process, so that no number of open pages makes the gateway late. The child ends with its parent.

Not responsible for what it shows (``wavewrap_dashboard``) nor for what it is told (:mod:`wavewrap_gateway.app.dashboard`).
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process

from wavewrap_gateway.adapters.child_process import end_child
from wavewrap_protocol.errors import UsageError

__all__ = ["DashboardChild"]

START_S = 20.0
"""Choice: measured under 1 s on a laptop-class core; as for the embedded broker, a small board is given far more."""

STOP_S = 4.0
"""Choice: the child gives open pages 2 s; after this it is killed."""

_MODULE = "wavewrap_dashboard"


class DashboardChild:
    """``settings`` is the JSON that the child reads; it holds secrets and goes through a pipe."""

    def __init__(self, settings: str) -> None:
        self._settings = settings
        self._process: Process | None = None

    async def start(self) -> str:
        """Start it and return the URL that opens the page. Raises :class:`UsageError`, and then nothing is left running."""
        # Its stderr is ours: it says little, and that little belongs in the gateway's log.
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", _MODULE, stdin=PIPE, stdout=PIPE)
        self._process = process
        if process.stdin is None or process.stdout is None:
            raise UsageError("dashboard: the system gave no pipe to its process: try again")
        try:
            process.stdin.write(self._settings.encode() + b"\n")
            async with asyncio.timeout(START_S):
                line = await process.stdout.readline()
        except (TimeoutError, ConnectionError) as cause:
            await self.close()
            raise UsageError(f"dashboard: not ready within {START_S:g} s: try again, or go without") from cause
        except BaseException:
            await self.close()
            raise
        answer = json.loads(line) if line else {"error": "dashboard: ended at its start: see the lines above"}
        if "error" in answer:
            await self.close()
            raise UsageError(str(answer["error"]))
        return str(answer["url"])

    async def close(self) -> None:
        """End it and wait; more than once does no harm."""
        process, self._process = self._process, None
        if process is None:
            return
        await end_child(process, STOP_S)
