"""The reference of ``bench gateway``: what a person writes in an afternoon. bleak callback, json, paho publish, nothing else.

Run as ``python -m wavewrap_gateway.bench.bare_script TRANSPORT HOST PORT``; prints a line when both wraps stream, ends with its stdin.
"""

import asyncio
import json
import struct
import sys

import paho.mqtt.client as mqtt
from bleak import BleakClient, BleakScanner
from paho.mqtt.enums import CallbackAPIVersion

from wavewrap_gateway.adapters.bumble_client import BumbleClient
from wavewrap_gateway.adapters.bumble_radio import BumbleRadio
from wavewrap_gateway.adapters.bumble_scanner import BumbleScanner
from wavewrap_protocol import uuids

STREAM_ON = bytes((0x05, 1, 0, 1, 0))


async def main(transport: str, host: str, port: int) -> None:
    """Publish every frame of every wrap until stdin ends."""
    publisher = mqtt.Client(CallbackAPIVersion.VERSION2)
    publisher.connect(host, port)
    publisher.loop_start()
    radio = BumbleRadio(transport)
    await radio.open()
    scanner = BleakScanner(service_uuids=[uuids.SERVICE], backend=BumbleScanner, radio=radio)
    async with scanner:
        await asyncio.sleep(1.0)
    clients: list[BleakClient] = []
    for device in scanner.discovered_devices:
        client = BleakClient(device, backend=BumbleClient, radio=radio)
        await client.connect()

        def on_frame(_characteristic: object, data: bytearray, address: str = device.address) -> None:
            seq, tick, _period_ms, mask = struct.unpack_from("<IIBB", data, 2)
            values = struct.unpack_from(f"<{(len(data) - 12) // 2}h", data, 12)
            rows = [[value / 100 for value in values[at :: mask.bit_count()]] for at in range(mask.bit_count())]
            message = {"wrap": address, "seq": seq, "tick": tick, "pressure_mmhg": rows}
            publisher.publish(f"bare/{address}/telemetry", json.dumps(message), qos=1)

        await client.start_notify(uuids.CONTROL, lambda _characteristic, _data: None)
        await client.start_notify(uuids.TELEMETRY, on_frame)
        await client.write_gatt_char(uuids.CONTROL, STREAM_ON, response=True)
        clients.append(client)
    print(json.dumps({"wraps": len(clients)}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for client in clients:
        await client.disconnect()
    publisher.loop_stop()
    await radio.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
