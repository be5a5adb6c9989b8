"""Facts read from the machine itself: full and closed disks, the kernel's clock, programs that hang."""

import asyncio
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.machine_tree import MachineTree

from wavewrap_gateway.adapters import machine as machine_module
from wavewrap_gateway.adapters.host_facts import read_clock, read_folder, read_python, read_system
from wavewrap_gateway.adapters.machine import this_machine
from wavewrap_gateway.core.doctor_host import FREE_MIN_BYTES, judge_folder
from wavewrap_gateway.core.verdict import Level

ADJTIMEX = {"x86_64": 159, "aarch64": 171}
"""Number of the system call, from the kernel's tables; a way to the kernel that shares nothing with ctypes."""


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A small file system of its own on ``folder``."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mount is not granted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")


@needs_root
def test_a_full_disk(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=64k"):
        (tmp_path / "disk" / "full").write_bytes(bytes(64 * 1024))
        facts = read_folder(tmp_path / "disk")
    assert facts.free_bytes == 0 < FREE_MIN_BYTES
    assert facts.refusal == "no space left on device"
    assert judge_folder("data folder", facts, written=True).says.endswith("the disk is full")


@needs_root
def test_a_disk_with_little_room_left(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=8m"):
        verdict = judge_folder("data folder", read_folder(tmp_path / "disk" / "wavewrap"), written=True)
    assert verdict.level is Level.WARNING
    assert "only 8.4 MB are free" in verdict.says


@needs_root
def test_a_disk_that_is_read_only(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "ro,size=64m"):
        there = read_folder(tmp_path / "disk")
        to_come = read_folder(tmp_path / "disk" / "wavewrap")
    assert there.refusal == "read-only file system"
    assert (to_come.refusal, to_come.stands_in) == ("no right to", str(tmp_path / "disk"))
    assert judge_folder("data folder", there, written=True).level is Level.PROBLEM


def test_a_probe_leaves_nothing_behind(tmp_path: Path) -> None:
    assert read_folder(tmp_path).refusal is None
    assert read_folder(tmp_path / "not" / "there").stands_in == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    shutil.which("perl") is None or platform.machine() not in ADJTIMEX, reason="needs perl and a known number of the system call"
)
def test_the_kernel_s_word_on_the_clock() -> None:
    script = f'$b = "\\0" x 512; print syscall({ADJTIMEX[platform.machine()]}, $b)'
    said = int(subprocess.run(["perl", "-e", script], check=True, capture_output=True, text=True).stdout)
    assert read_clock().synchronised is (said != 5)


def test_a_program_that_hangs_or_fails_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_module, "PROGRAM_S", 0.2)
    tree = MachineTree(tmp_path)
    tree.add_program("hangs", "HANG")
    tree.add_program("fails", "1.2", code=3)
    machine = tree.machine("")
    assert asyncio.run(machine.ask("hangs")) is None
    assert asyncio.run(machine.ask("fails")) is None
    assert asyncio.run(machine.ask("missing")) is None
    assert asyncio.run(machine.ask("bluetoothctl", "--version")) == "bluetoothctl: 5.79\n"


def test_this_machine() -> None:
    machine = this_machine({"PATH": "/opt/bin", "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/x"})
    assert machine.bus_address == "unix:path=/x"
    assert machine.search[0] == "/opt/bin"
    assert this_machine({}).bus_address.startswith("unix:path=/run/dbus/")
    facts = read_system(machine)
    assert facts.kernel == platform.release()
    assert read_python(["bleak", "no-such-package"]).libraries["no-such-package"] is None
