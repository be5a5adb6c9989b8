"""The server with real sockets and a real broker: who is let in, what goes out, and what a request becomes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest
from paho.mqtt.publish import single
from tests.support.brokers import Collector, Mosquitto, find_free_port, needs_mosquitto, run_mosquitto
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from wavewrap_dashboard.access import Access
from wavewrap_dashboard.live import Live
from wavewrap_dashboard.process import open_dashboard
from wavewrap_dashboard.server import make_app
from wavewrap_dashboard.settings import BrokerAddress, DashboardSettings
from wavewrap_protocol.errors import UsageError

TOKEN = "a-token-of-the-tests-123"
WELL = {"read": True, "pain": False, "swelling": False, "bruising": False, "stopped_running": False}

pytestmark = needs_mosquitto


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def get(url: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body, whatever the status."""
    try:
        with build_opener(_NoRedirect).open(Request(url, headers=headers), timeout=10) as answer:
            return answer.status, {key.lower(): value for key, value in answer.headers.items()}, answer.read().decode()
    except HTTPError as answer:
        with answer:
            return answer.code, {key.lower(): value for key, value in answer.headers.items()}, answer.read().decode()


def settings(*ports: int, base_topics: tuple[str, ...] = ("wavewrap",)) -> DashboardSettings:
    brokers = [{"host": "127.0.0.1", "port": port, "base_topics": base_topics} for port in ports]
    return DashboardSettings.model_validate({"brokers": brokers, "token": TOKEN})


@asynccontextmanager
async def served(*brokers: Mosquitto, base_topics: tuple[str, ...] = ("wavewrap",)) -> AsyncIterator[str]:
    """The page's address without its token."""
    async with open_dashboard(settings(*(broker.port for broker in brokers), base_topics=base_topics)) as dashboard:
        address, _, token = dashboard.url.rpartition("/enter/")
        assert token == TOKEN
        yield address


@asynccontextmanager
async def page_of(address: str) -> AsyncIterator["Browser"]:
    host = address.removeprefix("http://")
    port = host.rpartition(":")[2]
    async with connect(f"ws://{host}/socket", origin=address, additional_headers={"Cookie": f"wavewrap-{port}={TOKEN}"}) as socket:  # type: ignore[arg-type]  # Origin is a NewType of str
        yield Browser(socket)


class Browser:
    """What the page's script does, without the page."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def until(self, kind: str, **wanted: Any) -> dict[str, Any]:
        """The next message of that kind with those values."""
        async with asyncio.timeout(10.0):
            while True:
                message: dict[str, Any] = json.loads(await self._socket.recv())
                if message["k"] == kind and all(message.get(key) == value for key, value in wanted.items()):
                    return message

    async def until_up(self) -> None:
        """The server has its broker: it says so in what a new page gets, or when it comes."""
        await self.until("broker", down=None)

    async def ask(self, number: int, command: str, body: dict[str, Any] | None = None, **more: Any) -> None:
        await self._socket.send(json.dumps({"id": number, "command": command, "body": body or {}, **more}))


async def first_on(heard: Collector, topic: str) -> bytes:
    assert await asyncio.to_thread(heard.wait_until, lambda so_far: bool(so_far.bodies(topic)))
    return heard.bodies(topic)[0]


def test_the_page_opens_with_its_link_only_and_every_answer_is_guarded(tmp_path: Path) -> None:
    async def work() -> None:
        with run_mosquitto(tmp_path) as broker:
            async with served(broker) as address:
                port = address.rpartition(":")[2]
                status, headers, _ = await asyncio.to_thread(get, f"{address}/enter/{TOKEN}")
                assert (status, headers["location"]) == (303, "/")
                cookie = headers["set-cookie"]
                assert cookie.startswith(f"wavewrap-{port}={TOKEN};")
                assert "HttpOnly" in cookie
                assert "samesite=strict" in cookie.lower()
                for path, sent in (("/", {}), ("/", {"Cookie": f"wavewrap-{port}=wrong"}), ("/enter/wrong", {})):
                    status, headers, body = await asyncio.to_thread(get, f"{address}{path}", **sent)
                    assert (status, "link that" in body) == (403, True)
                    assert "script-src 'self'" in headers["content-security-policy"]
                status, headers, body = await asyncio.to_thread(get, f"{address}/", Cookie=f"wavewrap-{port}={TOKEN}")
                assert status == 200
                assert "unsafe" not in headers["content-security-policy"]
                assert headers["x-content-type-options"] == "nosniff"
                assert "<script>" not in body
                # DNS that points here from somebody else's name.
                status, _, _ = await asyncio.to_thread(get, f"{address}/", Host=f"evil.example:{port}", Cookie=f"wavewrap-{port}={TOKEN}")
                assert status == 421
                for path in ("/assets/..%2findex.html", "/assets/nothing.js", "/etc/passwd"):
                    assert (await asyncio.to_thread(get, f"{address}{path}"))[0] == 404

    asyncio.run(work())


def test_a_foreign_page_gets_no_socket(tmp_path: Path) -> None:
    async def refused(address: str, origin: str | None, cookie: str) -> int:
        try:
            headers = {"Cookie": cookie}
            async with connect(f"ws://{address.removeprefix('http://')}/socket", origin=origin, additional_headers=headers):  # type: ignore[arg-type]  # as above
                return 101
        except InvalidStatus as answer:
            return answer.response.status_code

    async def work() -> None:
        with run_mosquitto(tmp_path) as broker:
            async with served(broker) as address:
                port = address.rpartition(":")[2]
                good = f"wavewrap-{port}={TOKEN}"
                assert await refused(address, address, good) == 101
                for origin in ("http://evil.example", f"http://evil.example:{port}", "http://127.0.0.1:1", "null", None):
                    assert await refused(address, origin, good) == 403, origin
                assert await refused(address, address, f"wavewrap-{port}=wrong") == 403
                assert await refused(address, address, "") == 403

    asyncio.run(work())


def test_a_request_goes_out_with_its_expiry_and_its_answer_comes_back_to_who_asked(tmp_path: Path) -> None:
    async def work() -> None:
        with run_mosquitto(tmp_path) as broker:
            async with served(broker) as address, Collector(broker.port) as heard, page_of(address) as page, page_of(address) as other:
                await page.until_up()
                await page.ask(1, "start", {"program": "calf-wave"})
                assert (await page.until("answer"))["fail"] == "check_missing"
                await page.ask(2, "start", {"program": "calf-wave"}, check=WELL)
                body = json.loads(await first_on(heard, "wavewrap/bridge/request/start"))
                assert abs(body["unix_s"] - time.clock_gettime(time.CLOCK_REALTIME)) < 5.0
                assert body["ttl_s"] <= 10.0
                assert "check" not in body  # what a person answered stays here
                answer = {"status": "ok", "transaction": body["transaction"], "data": None}
                await asyncio.to_thread(single, "wavewrap/bridge/response/start", json.dumps(answer), 1, port=broker.port)
                assert (await page.until("answer", id=2))["v"]["status"] == "ok"
                await other.ask(1, "stop")
                await first_on(heard, "wavewrap/bridge/request/stop")
                assert len(heard.bodies("wavewrap/bridge/request/start")) == 1

    asyncio.run(work())


def test_of_several_gateways_each_is_heard_and_asked_apart(tmp_path: Path) -> None:
    async def work() -> None:
        with run_mosquitto(tmp_path) as broker:
            serving = served(broker, base_topics=("wavewrap", "gym/a"))
            async with serving as address, Collector(broker.port, "#") as heard, page_of(address) as page:
                places = [{"topic": topic, "broker": "127.0.0.1"} for topic in ("wavewrap", "gym/a")]
                assert (await page.until("hello"))["gateways"] == places
                await page.until_up()
                await asyncio.to_thread(single, "gym/a/bridge/state", '{"state":"online"}', 1, port=broker.port)
                assert (await page.until("bridge", g=1))["v"] == {"state": "online"}
                await page.ask(1, "stop", gateway=1)
                body = json.loads(await first_on(heard, "gym/a/bridge/request/stop"))
                answer = {"status": "ok", "transaction": body["transaction"], "data": None}
                await asyncio.to_thread(single, "gym/a/bridge/response/stop", json.dumps(answer), 1, port=broker.port)
                assert (await page.until("answer", id=1))["v"]["status"] == "ok"
                assert heard.bodies("wavewrap/bridge/request/stop") == []
                await page.ask(2, "stop", gateway=2)
                assert (await page.until("answer", id=2))["fail"] == "malformed"

    asyncio.run(work())


def test_without_a_broker_it_says_so_and_comes_back_with_it(tmp_path: Path) -> None:
    async def work() -> None:
        broker = Mosquitto(tmp_path)
        async with served(broker) as address, page_of(address) as page:
            assert (await page.until("broker"))["down"] is not None
            await page.ask(1, "stop")
            assert (await page.until("answer"))["fail"] == "broker_down"
            broker.start()
            try:
                await page.until("broker", down=None)
            finally:
                broker.kill()
            assert (await page.until("broker"))["down"]

    asyncio.run(work())


def test_of_several_brokers_each_is_asked_its_own_and_is_away_alone(tmp_path: Path) -> None:
    async def work() -> None:
        near, far = Mosquitto(tmp_path), Mosquitto(tmp_path)
        near.start()
        try:
            async with served(near, far) as address, Collector(near.port) as heard, page_of(address) as page:
                hello = await page.until("hello")
                # The same topic on the same host: the port tells them apart.
                assert hello["gateways"] == [{"topic": "wavewrap", "broker": f"127.0.0.1:{one.port}"} for one in (near, far)]
                await page.until("broker", g=0, down=None)
                await page.ask(1, "stop", gateway=0)
                await page.ask(2, "stop", gateway=1)
                assert (await page.until("answer", id=2))["fail"] == "broker_down"
                body = json.loads(await first_on(heard, "wavewrap/bridge/request/stop"))
                answer = {"status": "ok", "transaction": body["transaction"], "data": None}
                await asyncio.to_thread(single, "wavewrap/bridge/response/stop", json.dumps(answer), 1, port=near.port)
                assert (await page.until("answer", id=1))["v"]["status"] == "ok"
                far.start()
                await page.until("broker", g=1, down=None)
                # What was not delivered is not delivered later either.
                async with Collector(far.port) as heard_there, page_of(address) as new:
                    assert (await new.until("broker", g=0))["down"] is None
                    assert (await new.until("broker", g=1))["down"] is None
                    await page.ask(3, "stop", gateway=1)
                    await first_on(heard_there, "wavewrap/bridge/request/stop")
                    assert len(heard_there.bodies("wavewrap/bridge/request/stop")) == 1
                    assert len(heard.bodies("wavewrap/bridge/request/stop")) == 1
                near.kill()
                assert (await page.until("broker", g=0))["down"]
                await asyncio.to_thread(single, "wavewrap/bridge/state", '{"state":"online"}', 1, port=far.port)
                assert (await page.until("bridge", g=1))["v"] == {"state": "online"}
        finally:
            near.kill()
            far.kill()

    asyncio.run(work())


def test_tls_files_that_cannot_be_used_are_told_with_their_broker(tmp_path: Path) -> None:
    async def work() -> None:
        plain = settings(1, 2).model_dump(mode="json") | {"token": TOKEN}
        plain["brokers"][1] |= {"tls": True, "ca_file": str(tmp_path / "none.pem")}
        with pytest.raises(UsageError, match=r"127\.0\.0\.1:2 cannot be used"):
            async with open_dashboard(DashboardSettings.model_validate(plain)):
                pass

    asyncio.run(work())


def test_a_taken_port_is_told_in_one_line() -> None:
    async def work() -> None:
        port = find_free_port()
        wanted = settings(1).model_copy(update={"port": port})
        async with open_dashboard(wanted):
            with pytest.raises(UsageError, match=rf"127\.0\.0\.1:{port}.*choose another"):
                async with open_dashboard(wanted):
                    pass

    asyncio.run(work())


def test_a_missing_page_is_told_in_plain_words(tmp_path: Path) -> None:
    async def work() -> list[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        live = Live([BrokerAddress(host="127.0.0.1", port=1)], "nobody", loop.time, loop.time)
        app = make_app(live, Access(TOKEN, 80), None, check_before_start=True, bundle=tmp_path)
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", b"127.0.0.1:80"), (b"cookie", f"wavewrap-80={TOKEN}".encode())]
        scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "headers": headers}
        await app(scope, receive, send)
        return sent

    first, second = asyncio.run(work())
    assert first["status"] == 503
    assert "make venv" in second["body"].decode()
