"""The words to systemd as datagrams on a real socket."""

import asyncio
import logging
import os
import socket
import time
from pathlib import Path

import pytest
from tests.support.notify_socket import listen

from wavewrap_gateway.adapters.service_manager import NotifySocket, Unsupervised, open_service_manager
from wavewrap_gateway.runtime.supervision import supervised
from wavewrap_protocol.errors import UsageError


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_every_word_is_one_datagram(abstract: bool, tmp_path: Path) -> None:
    async def scene() -> list[str]:
        with listen(f"@wavewrap-test-{os.getpid()}" if abstract else tmp_path / "notify") as heard:
            manager = open_service_manager({"NOTIFY_SOCKET": heard.address, "WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())})
            assert manager.watchdog_s == 1.5
            manager.say("looking for\n2 wraps")
            manager.ready()
            manager.ping()
            manager.stopping()
            await asyncio.sleep(0.05)  # local datagrams wait in the socket already
            return heard.texts

    assert asyncio.run(scene()) == ["STATUS=looking for 2 wraps", "READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_a_loop_that_stands_still_sends_no_pings(tmp_path: Path) -> None:
    """A thread of another kind, or pings made ahead, would be heard while the loop is held up."""

    async def scene() -> tuple[int, int, int]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(str(tmp_path / "notify"))
            receiver.setblocking(False)
            manager = NotifySocket(str(tmp_path / "notify"), 0.3)
            async with supervised(manager, asyncio.get_running_loop().time) as supervision:
                supervision.begin(lambda: "runs")
                await asyncio.sleep(0.35)
                before = count(receiver)
                time.sleep(1.0)  # noqa: ASYNC251 - the fault that the watchdog is there for
                during = count(receiver)
                await asyncio.sleep(0.35)
                return before, during, count(receiver)

    before, during, after = asyncio.run(scene())
    assert before >= 2
    assert during == 0
    assert after >= 1


def count(receiver: socket.socket) -> int:
    pings = 0
    while True:
        try:
            pings += receiver.recv(4096) == b"WATCHDOG=1"
        except BlockingIOError:
            return pings


@pytest.mark.parametrize(
    ("variables", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_a_watchdog_for_another_process_is_not_ours(variables: dict[str, str], watchdog_s: float | None) -> None:
    assert open_service_manager({"NOTIFY_SOCKET": "/run/notify", **variables}).watchdog_s == watchdog_s


def test_outside_of_a_service_there_is_nobody_to_tell() -> None:
    assert isinstance(open_service_manager({"WATCHDOG_USEC": "30000000"}), Unsupervised)


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        (
            {"NOTIFY_SOCKET": "vsock:2:1"},
            "environment NOTIFY_SOCKET: 'vsock:2:1': is neither a path nor an abstract name; let systemd set it",
        ),
        ({"NOTIFY_SOCKET": "@"}, "environment NOTIFY_SOCKET: '@': is neither a path nor an abstract name; let systemd set it"),
        (
            {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "0"},
            "environment WATCHDOG_USEC: '0': is no number of microseconds; let systemd set it",
        ),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused(variables: dict[str, str], line: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_service_manager(variables)
    assert str(caught.value) == line


def test_a_manager_that_is_gone_is_said_once_and_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    manager = NotifySocket(str(tmp_path / "gone"), None)
    with caplog.at_level(logging.WARNING, logger="wavewrap_gateway"):
        manager.ready()
        manager.ping()
    assert len(caplog.records) == 1
    assert "cannot be told READY=1" in caplog.text


def test_a_manager_that_reads_nothing_does_not_hold_us_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        manager = NotifySocket(str(tmp_path / "notify"), None)
        for _ in range(2000):  # far more than a socket's queue holds
            manager.ping()
    assert "temporarily unavailable" in caplog.text
