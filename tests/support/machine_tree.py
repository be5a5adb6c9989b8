"""A tree of files that reads like ``/proc``, ``/sys`` and ``/etc`` of a Raspberry Pi where all is well, to be spoilt by a test."""

import stat
from pathlib import Path

from wavewrap_gateway.adapters.machine import Machine

__all__ = ["MachineTree"]

PI_4 = "Raspberry Pi 4 Model B Rev 1.4"


class MachineTree:
    """The tree under ``root``. Every method spoils or adds one thing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._bin = root / "bin"
        self._bin.mkdir(parents=True)
        self.write("/etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
        self.write("/proc/sys/kernel/osrelease", "6.12.47+rpt-rpi-v8\n")
        self.write("/etc/group", "root:x:0:\nbluetooth:x:112:\n")
        self.mkdir("/run/systemd/system")
        self.add_program("bluetoothd", "")
        self.set_bluez("5.79")

    def write(self, name: str, text: str) -> None:
        path = self.root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def mkdir(self, name: str) -> Path:
        path = self.root / name.lstrip("/")
        path.mkdir(parents=True, exist_ok=True)
        return path

    def add_program(self, name: str, prints: str, code: int = 0) -> None:
        """A program that prints a line, or hangs where it is asked to print ``HANG``."""
        path = self._bin / name
        body = "exec sleep 60" if prints == "HANG" else f"echo '{prints}'\nexit {code}"
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def remove_program(self, name: str) -> None:
        (self._bin / name).unlink()

    def set_bluez(self, version: str) -> None:
        self.add_program("bluetoothctl", f"bluetoothctl: {version}")

    def make_pi(self, model: str = PI_4) -> None:
        self.write("/proc/device-tree/model", f"{model}\0")

    def add_adapter(self, name: str = "hci0", device: str = "platform/soc/fe201000.serial/serial0/serial0-0/bluetooth") -> None:
        """As the kernel shows one: a link in ``/sys/class`` to a folder that tells where it hangs."""
        self._link("/sys/class/bluetooth", name, f"/sys/devices/{device}/{name}")
        self.mkdir(f"/sys/class/bluetooth/{name}:64")  # a connection, which is no adapter

    def add_rfkill(self, name: str = "hci0", *, soft: bool = False, hard: bool = False, kind: str = "bluetooth") -> None:
        folder = f"/sys/class/rfkill/rfkill{len(list(self.mkdir('/sys/class/rfkill').iterdir()))}"
        for key, value in {"name": name, "type": kind, "soft": str(int(soft)), "hard": str(int(hard))}.items():
            self.write(f"{folder}/{key}", f"{value}\n")

    def set_supervision(self, units: str, name: str = "hci0") -> None:
        self.write(f"/sys/kernel/debug/bluetooth/{name}/supervision_timeout", f"{units}\n")

    def add_wifi(self, name: str = "wlan0", state: str = "up", device: str = "platform/soc/fe300000.mmcnr/mmc1") -> None:
        self.write(f"/sys/class/net/{name}/operstate", f"{state}\n")
        self.mkdir(f"/sys/class/net/{name}/phy80211")
        self._link(f"/sys/class/net/{name}", "device", f"/sys/devices/{device}")

    def add_wifi_at(self, mhz: int) -> None:
        """On that frequency, which a tool on the machine tells."""
        self.add_wifi()
        self.add_program("iw", f"channel 6 ({mhz} MHz), width: 20 MHz")

    def add_usb(self, kind: tuple[str, str, str] = ("e0", "01", "01"), *, node: bool = True) -> Path:
        folder = "/sys/bus/usb/devices/1-1.3"
        values = dict(zip(("bDeviceClass", "bDeviceSubClass", "bDeviceProtocol"), kind, strict=True))
        for key, value in {**values, "busnum": "1", "devnum": "4", "product": "CSR8510 A10"}.items():
            self.write(f"{folder}/{key}", f"{value}\n")
        if node:
            self.write("/dev/bus/usb/001/004", "")
        return self.root / "dev/bus/usb/001/004"

    def machine(self, bus_address: str) -> Machine:
        return Machine(self.root, bus_address, (str(self._bin),))

    def _link(self, folder: str, name: str, target: str) -> None:
        where = self.mkdir(folder)
        (where / name).symlink_to(self.mkdir(target))
