"""Reads the facts about the machine that ``wavewrap doctor`` judges: interpreter, system, clock, timers, folders, Wi-Fi, USB dongles."""

import asyncio
import ctypes
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from wavewrap_gateway.adapters.machine import Machine
from wavewrap_gateway.adapters.pacing import open_pacer
from wavewrap_gateway.core.doctor_bluetooth import WifiFacts
from wavewrap_gateway.core.doctor_host import ClockFacts, FolderFacts, PythonFacts, SystemFacts
from wavewrap_gateway.core.doctor_setup import DongleFacts
from wavewrap_protocol.payloads import Pacing

__all__ = ["read_clock", "read_dongles", "read_folder", "read_pacing", "read_python", "read_system", "read_wifi"]

PROBE_BYTES = 4096
"""Written and removed again: one block of a file system, so that a full disk or quota shows."""

_TIME_ERROR = 5
"""timex.h: what adjtimex returns while the clock is not synchronised."""

_BLUETOOTH_CLASS = ("e0", "01", "01")
"""USB class, subclass and protocol of a Bluetooth controller (USB-IF class codes, wireless controller)."""


def read_python(libraries: Sequence[str]) -> PythonFacts:
    """The interpreter that runs us, and the versions of ``libraries``."""
    found: dict[str, str | None] = {}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return PythonFacts(sys.version_info[:3], sys.prefix != sys.base_prefix, found)


def read_system(machine: Machine) -> SystemFacts:
    """Operating system, kernel and board."""
    release = re.search(r'^PRETTY_NAME="?([^"\n]*)', machine.read("/etc/os-release") or "", re.MULTILINE)
    kernel = machine.read("/proc/sys/kernel/osrelease") or platform.release()
    return SystemFacts(
        system=platform.system(),
        distribution=None if release is None else release[1],
        kernel=kernel,
        machine=platform.machine(),
        model=machine.read("/proc/device-tree/model"),
        # sd_booted(3): this folder is there when systemd is the init system.
        systemd=machine.path("/run/systemd/system").is_dir(),
    )


def read_clock() -> ClockFacts:
    """Whether the kernel holds the wall clock for synchronised, and how finely the monotonic one steps."""
    resolution_s = time.get_clock_info("monotonic").resolution
    if sys.platform != "linux":
        return ClockFacts(None, 0.0, resolution_s)
    buffer = _Timex()
    # With no mode set it only reads, which everybody may.
    state = ctypes.CDLL(None).adjtimex(ctypes.byref(buffer))
    if state < 0:
        return ClockFacts(None, 0.0, resolution_s)
    return ClockFacts(state != _TIME_ERROR, buffer.maxerror_us / 1000.0, resolution_s)


class _Timex(ctypes.Structure):
    """The head of ``struct timex`` (adjtimex(2)), with room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror_us", ctypes.c_long),
        ("rest", ctypes.c_byte * 256),
    )


def read_pacing() -> Pacing:
    """What the pacer is granted in this process; call it in the loop's thread."""
    with open_pacer(asyncio.get_running_loop()) as pacer:
        return pacer.granted


def read_folder(path: Path) -> FolderFacts:
    """Room in ``path`` and whether a file can be written there; of what exists of it, where it does not yet."""
    stands_in = next(folder for folder in (path, *path.parents) if folder.exists())
    state = os.statvfs(stands_in)
    refusal: str | None = None
    try:
        if stands_in == path:
            with tempfile.NamedTemporaryFile(dir=path, prefix=".doctor-") as probe:
                probe.write(bytes(PROBE_BYTES))
                probe.flush()
        elif not os.access(stands_in, os.W_OK | os.X_OK):
            refusal = "no right to"
    except OSError as cause:
        refusal = (cause.strerror or str(cause)).lower()
    return FolderFacts(str(path), str(stands_in), state.f_bavail * state.f_frsize, refusal)


async def read_wifi(machine: Machine) -> tuple[WifiFacts, ...]:
    """Wi-Fi interfaces that are up. The band is what ``iw`` says, where it is installed."""
    found = []
    for name in machine.listing("/sys/class/net"):
        folder = f"/sys/class/net/{name}"
        if not machine.path(f"{folder}/phy80211").exists() or machine.read(f"{folder}/operstate") != "up":
            continue
        told = re.search(r"\((\d+) MHz\)", await machine.ask("iw", "dev", name, "info") or "")
        onboard = "/usb" not in str(machine.path(f"{folder}/device").resolve())
        found.append(WifiFacts(name, onboard, None if told is None else int(told[1])))
    return tuple(found)


def read_dongles(machine: Machine) -> tuple[DongleFacts, ...]:
    """USB devices that call themselves Bluetooth controllers."""
    found = []
    for name in machine.listing("/sys/bus/usb/devices"):
        folder = f"/sys/bus/usb/devices/{name}"
        kind = tuple(machine.read(f"{folder}/{key}") for key in ("bDeviceClass", "bDeviceSubClass", "bDeviceProtocol"))
        bus, number = machine.read(f"{folder}/busnum"), machine.read(f"{folder}/devnum")
        if kind == _BLUETOOTH_CLASS and bus is not None and number is not None:
            node = f"/dev/bus/usb/{int(bus):03d}/{int(number):03d}"
            product = machine.read(f"{folder}/product") or name
            found.append(DongleFacts(product, node, os.access(machine.path(node), os.R_OK | os.W_OK)))
    return tuple(found)
