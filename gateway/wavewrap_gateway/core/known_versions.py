"""Versions of what stands under us that are known to misbehave, as data: which, how badly, why, and where that is written.

A version stands here only where a public thread or our own trial supports it. One that is missing is not vouched for.
"""

import re
from dataclasses import dataclass

from wavewrap_gateway.core.verdict import Level

__all__ = ["BLUEZ_FIRST", "FITTING", "KNOWN", "KnownVersion", "Version", "find_known", "read_version"]

Version = tuple[int, ...]

BLUEZ_FIRST: Version = (5, 55)
"""bleak 3.1 refuses older ones ("Bleak requires BlueZ >= 5.55")."""

FITTING: dict[str, tuple[Version, Version]] = {"bleak": ((3, 1), (3, 2)), "dbus-fast": ((5, 0), (6, 0))}
"""First that fits and first that does not any more, as in pyproject.toml; a test holds that. So narrow for bleak, because the backend
for a bare dongle is written against its inner classes, and those move with every minor version."""


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """``first`` to ``last``, both among them, compared as far as each has parts; no ``last``: everything since.

    ``onboard_only``: it concerns the radio on a Raspberry Pi's own board. ``source`` is a thread, or what we tried ourselves.
    """

    what: str
    first: Version
    last: Version | None
    level: Level
    reason: str
    remedy: str
    source: str
    onboard_only: bool = False


KNOWN: tuple[KnownVersion, ...] = (
    KnownVersion(
        "BlueZ",
        (5, 62),
        (5, 62),
        Level.WARNING,
        "every second scan fails",
        "install another version of BlueZ; until then run the command again",
        "https://github.com/hbldh/bleak/issues/674",
    ),
    KnownVersion(
        "BlueZ",
        (5, 64),
        (5, 64),
        Level.WARNING,
        "links drop often and notifications go missing",
        "install 5.66 or newer",
        "https://github.com/bluez/bluez/issues/509",
    ),
    KnownVersion(
        "BlueZ",
        (5, 66),
        (5, 66),
        Level.WARNING,
        "bluetoothd crashes when a wrap has forgotten its pairing",
        "install a newer BlueZ if there is one; else after a crash: sudo systemctl restart bluetooth",
        # Tried by us with Debian 12's 5.66, kernel 6.1 and a virtual controller; the thread has a crash of 5.66 after a disconnect.
        "https://github.com/bluez/bluez/issues/1781",
    ),
    KnownVersion(
        "BlueZ",
        (5, 87),
        (5, 87),
        Level.PROBLEM,
        "bluetoothd crashes at the first wrap that a scan finds",
        "install 5.86, or a version after 5.87",
        # Any scan with a filter by service, as ours is.
        "https://github.com/bluez/bluez/issues/2282",
    ),
    KnownVersion(
        "kernel",
        (6, 1),
        (6, 1),
        Level.WARNING,
        "the radio on the board can fall silent after some hours",
        "update the system (sudo apt full-upgrade), or use a USB Bluetooth dongle",
        "https://github.com/raspberrypi/linux/issues/5460",
        onboard_only=True,
    ),
    KnownVersion(
        "kernel",
        (6, 15),
        None,
        Level.OK,
        "some could not come back to a paired device on it",
        "if a paired wrap is not found again, try a 6.12 kernel",
        # One report with two adapters there, one more in https://github.com/microsoft/WSL/issues/40928; not tried by us, so only a hint.
        "https://github.com/bluez/bluez/issues/2503",
    ),
)


def read_version(text: str) -> Version | None:
    """The first dotted number in ``text``, such as ``5.66-1+deb12u2`` or ``bluetoothctl: 5.66``; ``None`` without one."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return None if found is None else tuple(int(part) for part in found[0].split("."))


def find_known(what: str, version: Version, *, onboard: bool = False) -> KnownVersion | None:
    """The worst that is known of ``version``; ``onboard`` says whether the radio in use is the one on a Raspberry Pi's board."""
    matching = [
        one
        for one in KNOWN
        if one.what == what
        and version[: len(one.first)] >= one.first
        and (one.last is None or version[: len(one.last)] <= one.last)
        and (onboard or not one.onboard_only)
    ]
    return max(matching, key=lambda one: one.level.rank, default=None)
