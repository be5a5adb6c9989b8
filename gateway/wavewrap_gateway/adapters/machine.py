"""The machine that ``wavewrap doctor`` looks at: where its files, its programs and its system bus are.

Pointed at another root, path and bus it looks at those, which is how every trouble can be brought about in a test.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import which

__all__ = ["Machine", "this_machine"]

PROGRAM_S = 5.0
"""Longest run of a program that only prints. Choice: a cold SD card needs a second."""

SBIN = ("/usr/sbin", "/sbin", "/usr/libexec/bluetooth", "/usr/lib/bluetooth")
"""Where programs stand that a user's PATH leaves out; the last two are bluetoothd's, by distribution."""

BUS_DEFAULT = "unix:path=/run/dbus/system_bus_socket"
"""The D-Bus specification's address of the system bus, by its usual path today."""


@dataclass(frozen=True, slots=True)
class Machine:
    """``root`` is where ``/`` begins; ``bus_address`` is the D-Bus system bus; ``search`` the folders with programs."""

    root: Path
    bus_address: str
    search: tuple[str, ...]

    def path(self, name: str) -> Path:
        """``name``, an absolute path of the machine, under the root."""
        return self.root / name.lstrip("/")

    def read(self, name: str) -> str | None:
        """The text of a file without its last line end; ``None`` when it cannot be read."""
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace").rstrip("\n\0")
        except OSError:
            return None

    def listing(self, name: str) -> list[str]:
        """Names in a folder, sorted; none when there is no such folder."""
        try:
            return sorted(os.listdir(self.path(name)))
        except OSError:
            return []

    def find(self, program: str) -> str | None:
        """Path of a program."""
        return which(program, path=os.pathsep.join(self.search))

    async def ask(self, program: str, *arguments: str) -> str | None:
        """What a program prints; ``None`` when it is not there, fails or takes too long."""
        path = self.find(program)
        if path is None:
            return None
        process = await asyncio.create_subprocess_exec(
            path, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(PROGRAM_S):
                printed, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return None
        return printed.decode(errors="replace") if process.returncode == 0 else None


def this_machine(environment: Mapping[str, str]) -> Machine:
    """The one we run on, as ``environment`` describes it."""
    search = (*environment.get("PATH", os.defpath).split(os.pathsep), *SBIN)
    return Machine(Path("/"), environment.get("DBUS_SYSTEM_BUS_ADDRESS", BUS_DEFAULT), search)
