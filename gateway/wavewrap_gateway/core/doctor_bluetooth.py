"""From facts about Bluetooth to verdicts: the bus, bluetoothd, its version, rights, adapters, and what disturbs the radio. No IO.

Not responsible for reading the facts (:mod:`wavewrap_gateway.adapters.bluez_facts`).
"""

from dataclasses import dataclass
from enum import StrEnum

from wavewrap_gateway.core.doctor_host import SystemFacts
from wavewrap_gateway.core.known_versions import BLUEZ_FIRST, find_known, read_version
from wavewrap_gateway.core.verdict import Level, Verdict

__all__ = [
    "AdapterFacts",
    "Attachment",
    "BluetoothFacts",
    "BusFacts",
    "Daemon",
    "WifiFacts",
    "judge_bluetooth",
    "judge_coexistence",
]

SUPERVISION_SHORT_MS = 1000
"""Choice: a hand over the antenna lasts about that long; the kernel's default is 420 ms (https://github.com/stoprocent/noble/issues/99)."""

START_DAEMON = "start it: sudo systemctl enable --now bluetooth"


class Attachment(StrEnum):
    """How an adapter hangs on the machine."""

    USB = "usb"
    ONBOARD = "onboard"
    VIRTUAL = "virtual"


class Daemon(StrEnum):
    """What came of asking for org.bluez."""

    ANSWERS = "answers"
    ABSENT = "absent"
    REFUSES = "refuses"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class BusFacts:
    """``failure`` is why the bus cannot be used, ``None`` when it can; ``detail`` why bluetoothd is silent."""

    failure: str | None
    daemon: Daemon
    detail: str


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """One adapter: what the kernel says of it, and what BlueZ does. ``roles`` is ``None`` where BlueZ says nothing of them.

    ``known`` whether BlueZ has it, ``supervision_ms`` the kernel's default for new links where it can be read.
    """

    name: str
    attachment: Attachment
    known: bool
    powered: bool
    roles: tuple[str, ...] | None
    soft_blocked: bool
    hard_blocked: bool
    supervision_ms: int | None


@dataclass(frozen=True, slots=True)
class BluetoothFacts:
    """``program`` whether bluetoothd is installed; ``version`` as its tool prints it, ``None`` without one."""

    bus: BusFacts
    program: bool
    version: str | None
    adapters: tuple[AdapterFacts, ...]
    user: str
    in_group: bool


@dataclass(frozen=True, slots=True)
class WifiFacts:
    """One Wi-Fi interface that is up. ``onboard``: on the chip of the board; ``mhz`` ``None`` where nothing tells."""

    name: str
    onboard: bool
    mhz: int | None


def judge_bluetooth(facts: BluetoothFacts, system: SystemFacts) -> list[Verdict]:
    """All that the system's Bluetooth needs, in the order in which it is worth mending."""
    verdicts = [*_judge_daemon(facts, system), *_judge_version(facts)]
    if not facts.adapters:
        remedy = "plug in a USB Bluetooth LE adapter"
        if system.is_raspberry_pi:
            remedy += ", or take dtoverlay=disable-bt out of /boot/firmware/config.txt and restart"
        return [*verdicts, Verdict(check="adapter", level=Level.PROBLEM, says="there is none", remedy=remedy)]
    usable = any(_is_usable(adapter) for adapter in facts.adapters)
    asked = facts.bus.daemon is Daemon.ANSWERS
    verdicts += [_judge_adapter(adapter, asked=asked, spare=usable) for adapter in facts.adapters]
    return verdicts + [verdict for adapter in facts.adapters if (verdict := _judge_supervision(adapter)) is not None]


def _judge_daemon(facts: BluetoothFacts, system: SystemFacts) -> list[Verdict]:
    if facts.bus.failure is not None:
        remedy = "install and start D-Bus: sudo apt install dbus, then restart"
        return [Verdict(check="system bus", level=Level.PROBLEM, says=f"cannot be reached ({facts.bus.failure})", remedy=remedy)]
    match facts.bus.daemon:
        case Daemon.ANSWERS:
            return [Verdict(check="bluetoothd", level=Level.OK, says=f"runs, and {facts.user} may talk to it")]
        case Daemon.REFUSES:
            remedy = f"sudo usermod -aG bluetooth {facts.user}, then log in again"
            if facts.in_group:
                remedy = "the group bluetooth is not enough here: see the policy in /etc/dbus-1/system.d/bluetooth.conf"
            return [Verdict(check="bluetoothd", level=Level.PROBLEM, says=f"{facts.user} may not talk to it", remedy=remedy)]
        case Daemon.SILENT:
            remedy = "restart it: sudo systemctl restart bluetooth"
            return [Verdict(check="bluetoothd", level=Level.PROBLEM, says=f"does not answer ({facts.bus.detail})", remedy=remedy)]
        case Daemon.ABSENT if not facts.program:
            remedy = "install it: sudo apt install bluez" + (" pi-bluetooth" if system.is_raspberry_pi else "")
            return [Verdict(check="bluetoothd", level=Level.PROBLEM, says="is not installed", remedy=remedy)]
        case Daemon.ABSENT:
            # Its unit has ConditionPathIsDirectory=/sys/class/bluetooth: without an adapter it does not start at all.
            remedy = START_DAEMON if facts.adapters else "it starts by itself once there is an adapter"
            return [Verdict(check="bluetoothd", level=Level.PROBLEM, says="does not run", remedy=remedy)]


def _judge_version(facts: BluetoothFacts) -> list[Verdict]:
    version = None if facts.version is None else read_version(facts.version)
    if version is None:
        return []
    text = ".".join(map(str, version))
    if version < BLUEZ_FIRST:
        remedy = f"install {'.'.join(map(str, BLUEZ_FIRST))} or newer: update the system"
        return [Verdict(check="BlueZ", level=Level.PROBLEM, says=f"{text} is too old", remedy=remedy)]
    known = find_known("BlueZ", version)
    if known is not None:
        return [Verdict(check="BlueZ", level=known.level, says=f"{text}: {known.reason}", remedy=known.remedy, source=known.source)]
    return [Verdict(check="BlueZ", level=Level.OK, says=text)]


def _is_usable(adapter: AdapterFacts) -> bool:
    blocked = adapter.soft_blocked or adapter.hard_blocked
    return adapter.known and adapter.powered and not blocked and (adapter.roles is None or "central" in adapter.roles)


def _judge_adapter(adapter: AdapterFacts, *, asked: bool, spare: bool) -> Verdict:
    """``spare``: another one is ready, so that this one is only a warning."""
    bad = Level.WARNING if spare else Level.PROBLEM
    check = f"adapter {adapter.name}"
    if adapter.hard_blocked:
        remedy = "switch Bluetooth on at the machine, by its key or in its firmware"
        return Verdict(check=check, level=bad, says="is blocked by a switch", remedy=remedy)
    if adapter.soft_blocked:
        return Verdict(check=check, level=bad, says="is blocked", remedy="sudo rfkill unblock bluetooth")
    if not asked:
        says = f"{adapter.attachment.value}; whether it is on cannot be asked"
        return Verdict(check=check, level=Level.OK, says=says, remedy="see to bluetoothd first")
    if not adapter.known:
        remedy = "restart bluetoothd: sudo systemctl restart bluetooth; if that is no help, see journalctl -u bluetooth"
        return Verdict(check=check, level=bad, says="bluetoothd does not have it", remedy=remedy)
    if not adapter.powered:
        return Verdict(check=check, level=bad, says="is switched off", remedy="bluetoothctl power on")
    if adapter.roles is not None and "central" not in adapter.roles:
        remedy = "it cannot call a wrap: use an adapter with Bluetooth LE, and no ControllerMode = bredr in /etc/bluetooth/main.conf"
        return Verdict(check=check, level=bad, says="has no Bluetooth LE", remedy=remedy)
    return Verdict(check=check, level=Level.OK, says=f"{adapter.attachment.value}, on, Bluetooth LE")


def _judge_supervision(adapter: AdapterFacts) -> Verdict | None:
    """A hint at most: a wrap asks for 4 s itself, once it is connected."""
    if adapter.supervision_ms is None or adapter.supervision_ms >= SUPERVISION_SHORT_MS:
        return None
    return Verdict(
        check=f"links of {adapter.name}",
        level=Level.OK,
        says=f"the kernel gives up a link after {adapter.supervision_ms} ms; a wrap asks for 4 s once it is connected",
        remedy="if connecting itself fails: ConnectionSupervisionTimeout=400 under [LE] in /etc/bluetooth/main.conf",
    )


def judge_coexistence(adapters: tuple[AdapterFacts, ...], wifi: tuple[WifiFacts, ...], system: SystemFacts) -> list[Verdict]:
    """On a Raspberry Pi one chip and one antenna serve Wi-Fi and Bluetooth; on 2.4 GHz they take turns.

    Known from https://github.com/RPi-Distro/bluez-firmware/issues/12 and https://github.com/hbldh/bleak/pull/1670.
    """
    if not system.is_raspberry_pi or not any(adapter.attachment is Attachment.ONBOARD for adapter in adapters):
        return []
    shared = [one for one in wifi if one.onboard and (one.mhz is None or one.mhz < 3000)]
    if not shared:
        return [Verdict(check="Wi-Fi beside it", level=Level.OK, says="not on 2.4 GHz")]
    one = shared[0]
    says = f"{one.name} is on 2.4 GHz" if one.mhz is not None else f"{one.name} is up, on a band that nothing here tells"
    remedy = "use 5 GHz or a network cable, or a USB Bluetooth dongle on a cable of its own"
    if one.mhz is None:
        remedy = f"see the band with: sudo apt install iw, then iw dev {one.name} info. If it is 2.4 GHz, {remedy}"
    return [
        Verdict(
            check="Wi-Fi beside it",
            level=Level.WARNING,
            says=f"{says}, and shares the antenna with Bluetooth: links drop",
            remedy=remedy,
            source="https://github.com/hbldh/bleak/pull/1670",
        )
    ]
