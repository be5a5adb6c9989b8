"""The bench of wake-ups, short: every row that this machine has, and a word for each that it has not. No figure is judged here."""

import asyncio
import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from wavewrap_gateway.bench.host import HostRow, LatenessUs, find_methods, measure_beside_thread, measure_host
from wavewrap_gateway.bench.host_plot import plot_host

pytestmark = pytest.mark.realtime


def test_every_method_is_measured_or_said_to_be_left_out() -> None:
    told: list[str] = []
    rows = asyncio.run(measure_host(told.append, wake_ups=20))
    left_out = {line.split(" ", 1)[0] for line in told}
    assert left_out <= {"apscheduler", "c_clock_nanosleep_fifo"}
    assert [(row.method, row.load) for row in rows] == [
        (method, load)
        for load in ("idle", "loaded")
        for method in ("pacer", "asyncio_sleep", "apscheduler", "c_clock_nanosleep_fifo")
        if method not in left_out
    ]
    assert ("apscheduler" in left_out) == (importlib.util.find_spec("apscheduler") is None)
    for row in rows:
        late_us = row.lateness_us
        assert late_us.p50 <= late_us.p99 <= late_us.p999 <= late_us.max
        assert late_us.p50 > 0.0
        assert row.model_dump().keys() == {"method", "load", "lateness_us"}
        assert row.model_dump()["lateness_us"].keys() == {"p50", "p99", "p999", "max"}


def test_without_a_compiler_the_row_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("cc") is None
    told: list[str] = []
    methods = asyncio.run(find_methods(tmp_path, told.append))
    assert "c_clock_nanosleep_fifo is left out: there is no C compiler; install one that is called cc" in told
    assert "c_clock_nanosleep_fifo" not in methods


def test_a_compiler_that_fails_is_said_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'no headers here' >&2\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    told: list[str] = []
    methods = asyncio.run(find_methods(tmp_path, told.append))
    assert "c_clock_nanosleep_fifo" not in methods
    assert any("cannot compile clock_nanosleep.c (no headers here)" in line for line in told)


def test_beside_a_thread_that_holds_the_lock() -> None:
    rows = asyncio.run(measure_beside_thread(wake_ups=10))
    assert [(row.method, row.load) for row in rows] == [("pacer", "loaded"), ("asyncio_sleep", "loaded")]


def test_the_plot_names_methods_and_loads_on_a_logarithmic_scale() -> None:
    late_us = LatenessUs(p50=30.0, p99=100.0, p999=900.0, max=2000.0)
    rows = [
        HostRow(method="pacer", load="idle", lateness_us=late_us),
        HostRow(method="pacer", load="loaded", lateness_us=late_us),
        HostRow(method="asyncio_sleep", load="loaded", lateness_us=late_us),
    ]
    axes = Figure().subplots()
    plot_host(rows, axes)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["pacer", "asyncio_sleep"]
    assert axes.get_xscale() == "log"
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["idle", "loaded"]
    assert [np.asarray(line.get_xdata()).tolist() for line in axes.get_lines()] == [[30.0, 900.0], [30.0, 100.0, 900.0]] * 3
