"""The reference of ``bench dashboard``: what a person writes in an afternoon. MQTT in, 20 pushes a second, two uPlot charts, nothing else.

Run as ``python -m wavewrap_gateway.bench.bare_page PORT_OF_THE_BROKER FOLDER_OF_UPLOT``; prints its URL, ends with its stdin. It knows no
token, no stale data, no dropped page, and shares no code with the page that it is compared with.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import uvicorn
from paho.mqtt.enums import CallbackAPIVersion
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

PUSH_S = 0.05

PAGE = """<!doctype html><meta charset="utf-8"><title>bare</title>
<link rel="stylesheet" href="/uPlot.min.css"><script src="/uPlot.iife.min.js"></script><body><script>
const SPAN_S = 20, plots = {};
const COLOURS = ["#46379f", "#1d5fae", "#0b7285", "#2b7d3a", "#7a6a00", "#a9560a"];
function make(rows) {
  const series = [{}, ...rows.map((_, i) => ({ stroke: COLOURS[i % 6], width: 2, points: { show: false } }))];
  const scales = { y: { range: [0, 80] } };
  const data = [[], ...rows.map(() => [])];
  const options = { width: 590, height: 190, legend: { show: false }, cursor: { show: false }, series, scales };
  return { data, chart: new uPlot(options, data, document.body) };
}
const socket = new WebSocket(`ws://${location.host}/socket`);
socket.onmessage = (event) => {
  for (const batch of JSON.parse(event.data).b) {
    const { data } = (plots[batch.w] ??= make(batch.p));
    batch.p[0].forEach((_, i) => {
      data[0].push(batch.u + (i * batch.d) / 1000);
      batch.p.forEach((row, chamber) => data[chamber + 1].push(row[i]));
    });
    const newest = data[0][data[0].length - 1];
    let old = 0;
    while (data[0][old] < newest - SPAN_S) old++;
    if (old > 0) for (const column of data) column.splice(0, old);
  }
  for (const { chart, data } of Object.values(plots)) chart.setData(data);
};
</script>"""


async def main(broker_port: int, uplot: Path) -> None:
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    sockets: set[WebSocket] = set()
    waiting: list[dict[str, Any]] = []

    def take(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        told = json.loads(message.payload)
        batch = {"w": told["wrap"], "u": told["unix_s"], "d": told["period_ms"], "p": told["pressure_mmhg"]}
        loop.call_soon_threadsafe(waiting.append, batch)

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = take
    client.connect("127.0.0.1", broker_port)
    client.subscribe("wavewrap/+/telemetry")
    client.loop_start()

    async def page(_request: Request) -> HTMLResponse:
        return HTMLResponse(PAGE)

    def asset(name: str) -> Callable[[Request], Awaitable[FileResponse]]:
        async def send(_request: Request) -> FileResponse:
            return FileResponse(uplot / name)

        return send

    async def connect(websocket: WebSocket) -> None:
        await websocket.accept()
        sockets.add(websocket)
        async for _ in websocket.iter_text():
            pass
        sockets.discard(websocket)

    async def push() -> None:
        while True:
            await asyncio.sleep(PUSH_S)
            if waiting:
                text = json.dumps({"k": "s", "b": waiting})
                waiting.clear()
                for websocket in list(sockets):
                    await websocket.send_text(text)

    assets = [Route(f"/{name}", asset(name)) for name in ("uPlot.iife.min.js", "uPlot.min.css")]
    app = Starlette(routes=[Route("/", page), WebSocketRoute("/socket", connect), *assets])
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, lifespan="off", log_level="warning", access_log=False, ws="websockets-sansio", ws_per_message_deflate=False
    )
    server = uvicorn.Server(config)
    work = [asyncio.create_task(push()), asyncio.create_task(server.serve([listening]))]
    print(json.dumps({"url": f"http://127.0.0.1:{listening.getsockname()[1]}/"}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    for task in work:
        task.cancel()
    client.loop_stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
