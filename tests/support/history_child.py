"""A process that records a session as fast as a gateway does in a minute, and says what it has handed over; a test ends it with SIGKILL.

``python -m tests.support.history_child PLACE SECONDS PACE``: a line of JSON for every tenth of a second of the session, written after its
frames were handed to the store and before the next ones are.
"""

import json
import sys
import time
from dataclasses import replace

from tests.support.histories import make_event, make_frames, make_head, make_steps
from wavewrap_gateway.adapters.store_writer import StoreWriter, this_process


def record(place: str, seconds: float, pace: float) -> None:
    """Record ``seconds`` of a session, ``pace`` times as fast as time."""
    pid, started_unix_s = this_process()
    head = replace(make_head(), pid=pid, process_started_unix_s=started_unix_s)
    writer = StoreWriter(place, head.gateway, lambda line: _say(told=line), time.monotonic)
    writer.start()
    writer.begin(head)
    writer.add_steps(make_steps(head))
    for number, frame in enumerate(make_frames(head, seconds)):
        writer.add_frame(frame)
        if number % 10 == 9:
            writer.add_event(make_event(head, number // 10 + 1))
            _say(frames=number + 1, events=number // 10 + 1)
            time.sleep(1.0 / pace)
    writer.close()


def _say(**said: object) -> None:
    # In one piece, because two threads speak.
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    record(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
