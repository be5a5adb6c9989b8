"""The daemon as a process with a login to keep: what of it shows in its output, in the list of processes and on the broker. Nothing."""

import asyncio
import json
import subprocess
from pathlib import Path

import psutil
import pytest
from tests.support.brokers import Collector, find_mosquitto, needs_mosquitto, run_mosquitto
from tests.support.processes import Running, run_simulator, start

pytestmark = [pytest.mark.realtime, needs_mosquitto]

SECRET = "geheim-geheim"
STORE = "postgresql://clinic:andere-geheim@127.0.0.1:1/history"


def test_no_secret_leaves_the_daemon(tmp_path: Path) -> None:
    asyncio.run(_play(tmp_path))


async def _play(folder: Path) -> None:
    users = _make_users(folder)
    word = folder / "word"
    word.touch(mode=0o600)
    word.write_text(f"{SECRET}\n", encoding="utf-8")
    with (
        run_mosquitto(folder, ["allow_anonymous false", f"password_file {users}"]) as broker,
        Collector(broker.port, "#", username="watcher", password="watcher-word") as watcher,
    ):
        async with run_simulator(folder / "sim") as simulator:
            home = folder / "home"
            config = home / "wavewrap" / "config.toml"
            config.parent.mkdir(parents=True)
            config.touch(mode=0o600)
            config.write_text(
                f'gateway = "attic"\nradio = "{simulator.radio}"\nrecord = false\nstore = "{STORE}"\n'
                f'[mqtt]\nurl = "{broker.url}"\nusername = "attic"\npassword_file = "{word}"\n[home_assistant]\nenabled = true\n',
                encoding="utf-8",
            )
            async with start(home, "wavewrap_gateway", "-vv", "gateway") as daemon:
                await daemon.wait_for_line("ready")
                # A broken connection and a new one are logged, too.
                broker.kill()
                broker.start()
                came = len(watcher.bodies("wavewrap/bridge/state"))
                assert await asyncio.to_thread(watcher.wait_until, lambda one: len(one.bodies("wavewrap/bridge/state")) > came, 30.0)
                lines = _command_lines(daemon)
                output = daemon.stderr + daemon.stdout
        info = json.loads(watcher.bodies("wavewrap/bridge/info")[-1])
        bodies = [message.body for message in watcher.messages]
    assert info["gateway"] == "attic"
    assert "connected" in output
    for secret in (SECRET, "andere-geheim", str(word)):
        assert secret not in output
        assert secret not in " ".join(lines)
        assert not any(secret.encode() in body for body in bodies)


def _command_lines(daemon: Running) -> list[str]:
    family = [psutil.Process(daemon.pid), *psutil.Process(daemon.pid).children(recursive=True)]
    return [" ".join(process.cmdline()) for process in family]


def _make_users(folder: Path) -> Path:
    tool = find_mosquitto("mosquitto_passwd")
    assert tool is not None
    users = folder / "users"
    users.touch(mode=0o600)
    for name, password in (("attic", SECRET), ("watcher", "watcher-word")):
        subprocess.run([tool, "-b", str(users), name, password], check=True, capture_output=True)
    return users
