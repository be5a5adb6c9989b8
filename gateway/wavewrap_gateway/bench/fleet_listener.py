"""What ``bench fleet`` is heard by, in a process of its own: ``python -m wavewrap_gateway.bench.fleet_listener PORT``.

Says "ready" once subscribed; when its standard input ends, prints one JSON object: different messages of telemetry, repeats, and how long
each was under way by the clock that both share, as quantiles in ms. Nothing of the gateway's is in it but names of fields.
"""

import json
import sys
import threading
import time

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


def main(port: int) -> None:
    """Listen until standard input ends."""
    seen: set[tuple[str, str, int]] = set()
    repeats = 0
    under_way_s: list[float] = []
    subscribed = threading.Event()

    def note(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        nonlocal repeats
        now_s = time.clock_gettime(time.CLOCK_REALTIME)
        body = json.loads(message.payload)
        key = (body["gateway"], body["wrap"], body["seq"])
        if key in seen:
            repeats += 1
            return
        seen.add(key)
        under_way_s.append(now_s - body["unix_s"])

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_connect = lambda client, *_: client.subscribe("fleet/+/+/telemetry", qos=1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = note
    client.connect("127.0.0.1", port)
    client.loop_start()
    subscribed.wait()
    print("ready", flush=True)
    sys.stdin.read()
    client.disconnect()
    client.loop_stop()
    p50, p99, worst = (1000.0 * float(part) for part in np.quantile(under_way_s or [0.0], (0.5, 0.99, 1.0)))
    cpu_s = time.process_time()
    print(
        json.dumps({"distinct": len(seen), "repeats": repeats, "p50_ms": p50, "p99_ms": p99, "max_ms": worst, "cpu_s": cpu_s}), flush=True
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
