"""The dashboard as the process that a gateway starts: told by its input, ends with it, and leaves Ctrl-C to the gateway."""

import json
import os
import signal
import subprocess
import sys
import time

from tests.support.brokers import find_free_port

SETTINGS = {"brokers": [{"host": "127.0.0.1", "port": 1}], "token": "a-token-of-the-tests-123"}


def start(settings: str) -> subprocess.Popen[str]:
    child = subprocess.Popen([sys.executable, "-m", "wavewrap_dashboard"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    child.stdin.write(settings + "\n")
    child.stdin.flush()
    return child


def read_line(child: subprocess.Popen[str]) -> dict[str, str]:
    assert child.stdout is not None
    told = json.loads(child.stdout.readline())
    assert isinstance(told, dict)
    return told


def test_it_says_where_it_is_outlives_ctrl_c_and_ends_with_its_input() -> None:
    with start(json.dumps(SETTINGS)) as child:
        assert read_line(child)["url"].endswith(f"/enter/{SETTINGS['token']}")
        os.kill(child.pid, signal.SIGINT)
        time.sleep(0.3)
        assert child.poll() is None
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(timeout=30) == 0


def test_what_is_wrong_is_one_line_and_shows_no_secret() -> None:
    with start(json.dumps({**SETTINGS, "token": "short-secret"})) as child:
        told = read_line(child)["error"]
        assert "at least 16" in told
        assert "short-secret" not in told
        assert child.wait(timeout=30) == 2
    port = find_free_port()
    with start(json.dumps({**SETTINGS, "port": port})) as first, start(json.dumps({**SETTINGS, "port": port})) as second:
        answers = sorted([*read_line(first), *read_line(second)])
        assert answers == ["error", "url"]
