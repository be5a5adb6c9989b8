"""The stream of ``bench dashboard``: two wraps of 6 chambers at 50 Hz, a message a sample, each stamped with the moment of its sending."""

import asyncio
import math
import time

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from wavewrap_protocol.payloads import LinkCounts, SessionProgress, Side, TargetPath, Telemetry, WrapState

__all__ = ["CHAMBERS", "feed"]

CHAMBERS = 6
PERIOD_S = 0.02
PATH_CORNERS_S = (0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.5)
"""As many corners as a program's ramps and releases make."""


async def feed(port: int) -> None:
    """Until cancelled; the states of both wraps once a second."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        client.publish("wavewrap/bridge/state", '{"state":"online"}', 1, retain=True)
        began_s = time.monotonic()
        number = 0
        while True:
            now_s = time.monotonic() - began_s
            for side in Side:
                if number % 50 == 0:
                    client.publish(f"wavewrap/{side}", _state(side, number, now_s).model_dump_json(), 1, retain=True)
                client.publish(f"wavewrap/{side}/telemetry", _sample(side, number, now_s).model_dump_json(), 0)
            number += 1
            await asyncio.sleep(max(0.0, began_s + number * PERIOD_S - time.monotonic()))
    finally:
        client.disconnect()
        client.loop_stop()


def _sample(side: Side, number: int, now_s: float) -> Telemetry:
    pressures = [[30.0 + 25.0 * math.sin(now_s - chamber)] for chamber in range(CHAMBERS)]
    return Telemetry(
        gateway="bench",
        wrap=side.value,
        boot_id=1,
        seq=number,
        tick=number * 200,
        period_ms=20,
        replay=False,
        unix_s=time.clock_gettime(time.CLOCK_REALTIME),
        pressure_mmhg=pressures,
    )


def _state(side: Side, number: int, now_s: float) -> WrapState:
    return WrapState(
        gateway="bench",
        gateway_boot=1,
        seq=number,
        id=side.value,
        side=side,
        boot_id=1,
        link="ready",
        device_state="running",
        fault=None,
        pressure_mmhg=[30.0] * CHAMBERS,
        target_mmhg=[30.0] * CHAMBERS,
        target_path=TargetPath(
            unix_s=time.clock_gettime(time.CLOCK_REALTIME) - 1.0,
            points=[[after_s, *([30.0 + 5.0 * math.sin(now_s + after_s)] * CHAMBERS)] for after_s in PATH_CORNERS_S],
        ),
        battery_pct=90,
        clock=None,
        session=SessionProgress(program="bench", state="running", elapsed_s=now_s, duration_s=3600.0, cycle=1, cycles=60),
        counts=LinkCounts(**dict.fromkeys(LinkCounts.model_fields, 0)),
    )
