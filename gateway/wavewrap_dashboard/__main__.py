"""``python -m wavewrap_dashboard``: reads its settings as one JSON line on standard input, says where it serves, ends with that input.

So whoever starts it (the gateway) puts no secret into an argument list, and takes it along when it ends.
"""

import asyncio
import json
import logging
import signal
import sys

from pydantic import ValidationError

from wavewrap_dashboard.process import open_dashboard
from wavewrap_dashboard.settings import DashboardSettings
from wavewrap_protocol.errors import WavewrapError

__all__ = ["main"]


def main() -> int:
    """The exit code."""
    # The terminal's Ctrl-C reaches the whole job; the gateway, which stops and vents, decides when this ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="dashboard: %(message)s", stream=sys.stderr)
    try:
        settings = DashboardSettings.model_validate_json(sys.stdin.readline())
    except ValidationError as cause:
        print(json.dumps({"error": f"settings of the dashboard: {cause.errors(include_input=False)[0]['msg']}"}), flush=True)
        return 2
    try:
        asyncio.run(_serve(settings))
    except WavewrapError as cause:
        print(json.dumps({"error": str(cause)}), flush=True)
        return 1
    return 0


async def _serve(settings: DashboardSettings) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with open_dashboard(settings) as dashboard:
        print(json.dumps({"url": dashboard.url}), flush=True)
        parts = [asyncio.create_task(dashboard.wait()), asyncio.create_task(reader.read())]
        done, waiting = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        for part in waiting:
            part.cancel()
        for part in done:
            part.result()


if __name__ == "__main__":
    sys.exit(main())
