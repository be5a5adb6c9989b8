"""A bench that is ended takes along the programs that it has started."""

import signal
import subprocess
import sys
import time

import psutil
import pytest
from tests.support.brokers import needs_mosquitto

pytestmark = [pytest.mark.realtime, needs_mosquitto]

PATIENCE_S = 60.0


def test_a_terminated_bench_leaves_no_program_behind() -> None:
    bench = subprocess.Popen(
        [sys.executable, "-m", "wavewrap_gateway", "bench", "data"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    started: list[psutil.Process] = []
    deadline_s = time.monotonic() + PATIENCE_S
    while len(started) < 3:  # broker, simulator, gateway
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
        started = psutil.Process(bench.pid).children(recursive=True)
    bench.send_signal(signal.SIGTERM)
    assert bench.wait(PATIENCE_S) != 0
    _, alive = psutil.wait_procs(started, PATIENCE_S)
    assert alive == []
