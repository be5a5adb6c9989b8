"""The history behind the server: a child process for real, who may ask it, and what happens when it ends, hangs or is not there."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest
from tests.support.history_files import write_history

from wavewrap_dashboard.history import HistoryError, HistoryService
from wavewrap_dashboard.process import open_dashboard
from wavewrap_dashboard.settings import DashboardSettings, HistorySettings
from wavewrap_protocol import history_asks
from wavewrap_protocol.history_asks import AskRow, ExportAsk, FileAnswer, SessionAsk, SessionsAsk

TOKEN = "a-token-of-the-tests-123"
COMMAND = [sys.executable, "-m", "wavewrap_gateway.history_service"]
WHOLE = "20231114-1-whole"


def settings(store: Path, command: list[str] | None = None) -> HistorySettings:
    return HistorySettings.model_validate({"command": command or COMMAND, "store": str(store), "gateway": "attic"})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_history(tmp_path_factory.mktemp("history") / "history.sqlite")


@asynccontextmanager
async def opened(given: HistorySettings, idle_s: float = 60.0) -> AsyncIterator[HistoryService]:
    service = HistoryService(given, idle_s)
    try:
        yield service
    finally:
        await service.close()


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]


def test_a_child_comes_with_the_first_ask_and_goes_when_nobody_asks(store: Path) -> None:
    async def work() -> None:
        before = len(children())
        async with opened(settings(store), idle_s=0.3) as service:
            assert len(children()) == before
            asked = await asyncio.gather(*(service.ask("sessions", SessionsAsk(limit=1)) for _ in range(3)))
            assert [json.loads(answer)["total"] for answer in asked] == [3, 3, 3]
            assert len(children()) == before + 1
            async with asyncio.timeout(10.0):
                while service.running or len(children()) > before:  # noqa: ASYNC110  # another process's end is seen by looking
                    await asyncio.sleep(0.05)
            assert json.loads(await service.ask("sessions", SessionsAsk()))["total"] == 3
        assert len(children()) == before

    asyncio.run(work())


def test_a_child_that_is_killed_is_one_line_and_the_next_ask_gets_a_fresh_one(store: Path) -> None:
    async def work() -> None:
        async with opened(settings(store)) as service:
            await service.ask("sessions", SessionsAsk())
            (child,) = [child for child in children() if "history_service" in " ".join(child.cmdline())]
            os.kill(child.pid, signal.SIGSTOP)
            asked = asyncio.create_task(service.ask("sessions", SessionsAsk()))
            await asyncio.sleep(0.1)
            os.kill(child.pid, signal.SIGKILL)
            with pytest.raises(HistoryError, match=r"process ended \(exit code -9\).*try again") as told:
                await asked
            assert told.value.kind == "service"
            assert json.loads(await service.ask("sessions", SessionsAsk()))["total"] == 3

    asyncio.run(work())


def test_a_child_that_hangs_is_given_up_and_one_that_is_no_service_is_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        monkeypatch.setitem(history_asks.ASKS, "sessions", AskRow(SessionsAsk, 0.3))
        async with opened(settings(store, [sys.executable, "-c", "import time; time.sleep(60)"])) as service:
            with pytest.raises(HistoryError, match=r"within 0\.3 s"):
                await service.ask("sessions", SessionsAsk())
            assert not service.running
        monkeypatch.undo()
        async with opened(settings(store, [sys.executable, "-c", "print('hello')"])) as service:
            with pytest.raises(HistoryError, match=r"exit code 0"):
                await service.ask("sessions", SessionsAsk())
        async with opened(settings(store, ["no-such-program-of-anybody"])) as service:
            with pytest.raises(HistoryError) as told:
                await service.ask("sessions", SessionsAsk())
            assert told.value.kind == "service"

    asyncio.run(work())


def test_files_lie_in_a_private_folder_that_goes_with_the_child(store: Path) -> None:
    async def work() -> None:
        async with opened(settings(store)) as service:
            file = FileAnswer.model_validate_json(await service.ask("export", ExportAsk(session=WHOLE, format="csv")))
            path = service.take_file(file.key)
            assert path is not None
            assert path.parent.stat().st_mode & 0o077 == 0
            with pytest.raises(HistoryError, match="no session is called"):
                await service.ask("session", SessionAsk(session="nobody"))
        assert not path.parent.exists()

    asyncio.run(work())


def call(url: str, body: object = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body, whatever the status; a POST where there is a body."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(url, data, headers), timeout=20) as answer:
            return answer.status, dict(answer.headers.items()), answer.read()
    except HTTPError as answer:
        with answer:
            return answer.code, dict(answer.headers.items()), answer.read()


@asynccontextmanager
async def served(history: HistorySettings | None) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """The address, and the headers that the page's requests have."""
    plain = {"brokers": [{"host": "127.0.0.1", "port": 1}], "token": TOKEN}
    async with open_dashboard(DashboardSettings.model_validate(plain).model_copy(update={"history": history})) as dashboard:
        address = dashboard.url.rpartition("/enter/")[0]
        yield address, {"Cookie": f"wavewrap-{address.rpartition(':')[2]}={TOKEN}", "Origin": address}


def test_only_the_page_may_ask_and_a_file_is_fetched_once(store: Path) -> None:
    async def work() -> None:
        async with served(settings(store)) as (address, own):

            async def ask(name: str, body: object, headers: dict[str, str]) -> tuple[int, dict[str, object]]:
                status, _, text = await asyncio.to_thread(call, f"{address}/ask/{name}", body, **headers)
                return status, json.loads(text)

            foreign = (
                {**own, "Origin": "http://evil.example"},
                {**own, "Origin": "http://127.0.0.1:1"},
                {"Cookie": own["Cookie"]},
                {"Origin": own["Origin"]},
                {**own, "Cookie": own["Cookie"] + "x"},
            )
            for headers in foreign:
                assert (await ask("delete", {"session": WHOLE}, headers))[0] == 403
            assert (await ask("sessions", {}, own))[1]["total"] == 3
            assert (await ask("sessions", {"limit": 0}, own))[0] == 400
            assert (await ask("sessions", {"state": "x" * 9000}, own))[0] == 400
            assert (await ask("weather", {}, own))[0] == 404
            status, told = await ask("session", {"session": "nobody"}, own)
            assert (status, told["error"]) == (409, "usage")
            status, file = await ask("export", {"session": WHOLE, "format": "png"}, own)
            assert status == 200
            path = f"{address}/file/{file['key']}"
            assert (await asyncio.to_thread(call, path, Origin=address))[0] == 403
            status, headers, picture = await asyncio.to_thread(call, path, **own)
            assert (status, picture[:4], headers["content-type"]) == (200, b"\x89PNG", "image/png")
            assert f'filename="{WHOLE}.png"' in headers["content-disposition"]
            assert "script-src 'self'" in headers["content-security-policy"]
            assert (await asyncio.to_thread(call, path, **own))[0] == 404
            for page in ("/history", f"/history/{WHOLE}", "/compare?one=a&other=b", "/trends"):
                assert (await asyncio.to_thread(call, address + page, Cookie=own["Cookie"]))[0] == 200
                assert (await asyncio.to_thread(call, address + page))[0] == 403

    asyncio.run(work())


def test_a_dashboard_without_a_history_says_so() -> None:
    async def work() -> None:
        async with served(None) as (address, own):
            status, _, text = await asyncio.to_thread(call, f"{address}/ask/sessions", {}, **own)
            assert (status, json.loads(text)["error"]) == (409, "none")

    asyncio.run(work())
