"""``python -m wavewrap_gateway.history_service``: reads where the history is and then asks, line by line; ends with its input.

The place of the history may hold a password: it comes through the pipe, never as an argument.
"""

import signal
import sys

from pydantic import ValidationError

from wavewrap_gateway.history_service.service import serve
from wavewrap_protocol.history_asks import ServiceStart

__all__ = ["main"]


def main() -> int:
    """The exit code."""
    # The terminal's Ctrl-C reaches the whole job; whoever started this ends it by closing the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        start = ServiceStart.model_validate_json(sys.stdin.buffer.readline())
    except ValidationError:
        sys.stderr.write("history service: its first line is no ServiceStart: it is started by the dashboard, not by hand\n")
        return 2
    try:
        serve(start, sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        return 1  # who asked is gone, and what it wanted with it
    return 0


if __name__ == "__main__":
    sys.exit(main())
