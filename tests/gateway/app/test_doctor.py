"""Every trouble that a machine can be put into without harm: brought about, found, named and given a remedy.

The files are data in a folder, the bus is a real dbus-daemon with a peer that answers as BlueZ does, the brokers are real ones.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dbus_fast import DBusError, Message
from tests.support.bluez_bus import REFUSE_BLUEZ, Adapter, needs_dbus, run_bus, serve_bluez
from tests.support.brokers import Collector, find_free_port, needs_mosquitto, run_mosquitto
from tests.support.certificates import Authority
from tests.support.machine_tree import MachineTree

from wavewrap_gateway.app.doctor import examine
from wavewrap_gateway.core.verdict import Examination, Level, Verdict

pytestmark = needs_dbus


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "DATA"):
        folder = tmp_path / name.lower()
        (folder / "wavewrap").mkdir(parents=True)
        monkeypatch.setenv(f"XDG_{name}_HOME", str(folder))


@dataclass
class Scene:
    """A healthy Raspberry Pi on a network cable, and what is spoilt of it."""

    spoil: Callable[[MachineTree], object] = lambda _tree: None
    adapters: dict[str, Adapter] = field(default_factory=lambda: {"hci0": Adapter(powered=True, roles=["central", "peripheral"])})
    rule: str = ""
    serves: bool = True
    radio: str | None = None
    broker: str | None = None
    config: Path | None = None


def look(folder: Path, scene: Scene) -> Examination:
    tree = MachineTree(folder / "root")
    tree.make_pi()
    tree.add_adapter()
    tree.add_rfkill()
    tree.add_rfkill("phy0", soft=True, kind="wlan")  # Wi-Fi switched off is nobody's business here
    scene.spoil(tree)

    async def run() -> Examination:
        async with AsyncExitStack() as stack:
            address = await stack.enter_async_context(run_bus(folder, scene.rule))
            if scene.serves:
                await stack.enter_async_context(serve_bluez(address, **scene.adapters))
            return await examine(tree.machine(address), scene.config, scene.radio, scene.broker)

    return asyncio.run(run())


def find(found: Examination, check: str) -> Verdict:
    (verdict,) = [one for one in found.verdicts if one.check == check]
    return verdict


def test_a_healthy_pi_has_nothing_to_mend_but_its_clock(tmp_path: Path) -> None:
    found = look(tmp_path, Scene())
    assert [one.check for one in found.verdicts] == [
        "configuration", "Python", "bleak", "dbus-fast", "system", "bluetoothd", "BlueZ", "adapter hci0", "Wi-Fi beside it",
        "MQTT broker", "wall clock", "session clock", "real-time class", "config folder", "data folder",
    ]  # fmt: skip
    # The clock is that of the machine under the test.
    assert {one.check for one in found.verdicts if one.level is not Level.OK} <= {"wall clock"}
    assert find(found, "system").says.startswith("Debian GNU/Linux 12 (bookworm), kernel 6.12.47+rpt-rpi-v8, ")
    assert find(found, "system").says.endswith("Raspberry Pi 4 Model B Rev 1.4")
    assert find(found, "adapter hci0").says == "onboard, on, Bluetooth LE"
    assert found.exit_code == 0


def no_adapter(tree: MachineTree) -> None:
    for link in (tree.root / "sys/class/bluetooth").iterdir():
        link.rmdir() if not link.is_symlink() else link.unlink()


def no_bluez(tree: MachineTree) -> None:
    tree.remove_program("bluetoothd")
    tree.remove_program("bluetoothctl")


OFF = {"hci0": Adapter(powered=False, roles=["central"])}
CLASSIC = {"hci0": Adapter(powered=True, roles=[])}
SPARE = {"hci0": Adapter(powered=False, roles=["central"]), "hci1": Adapter(powered=True, roles=["central"])}
USB = "platform/soc/usb1/1-1/1-1.3/1-1.3:1.0/bluetooth"

BLUETOOTH_SCENES: dict[str, tuple[Scene, str, Level, str, str]] = {
    "daemon not installed": (Scene(no_bluez, serves=False), "bluetoothd", Level.PROBLEM, "is not installed", "bluez pi-bluetooth"),
    "daemon not running": (Scene(serves=False), "bluetoothd", Level.PROBLEM, "does not run", "systemctl enable --now bluetooth"),
    "neither daemon nor adapter": (Scene(no_adapter, serves=False), "bluetoothd", Level.PROBLEM, "does not run", "once there is"),
    "no right": (Scene(rule=REFUSE_BLUEZ), "bluetoothd", Level.PROBLEM, "may not talk to it", "usermod -aG bluetooth"),
    "no right though in the group": (
        Scene(lambda tree: tree.write("/etc/group", "bluetooth:x:0:\n"), rule=REFUSE_BLUEZ),
        "bluetoothd", Level.PROBLEM, "may not talk to it", "bluetooth.conf",
    ),
    "no adapter": (Scene(no_adapter, adapters={}), "adapter", Level.PROBLEM, "there is none", "dtoverlay=disable-bt"),
    "adapter unknown to the daemon": (Scene(adapters={}), "adapter hci0", Level.PROBLEM, "does not have it", "restart bluetooth"),
    "adapter off": (Scene(adapters=OFF), "adapter hci0", Level.PROBLEM, "is switched off", "power on"),
    "adapter off, another one on": (
        Scene(lambda tree: tree.add_adapter("hci1", USB), adapters=SPARE), "adapter hci0", Level.WARNING, "is switched off", "power on",
    ),
    "adapter without LE": (Scene(adapters=CLASSIC), "adapter hci0", Level.PROBLEM, "has no Bluetooth LE", "ControllerMode"),
    "blocked in software": (
        Scene(lambda tree: tree.add_rfkill(soft=True), adapters=OFF), "adapter hci0", Level.PROBLEM, "is blocked", "rfkill unblock",
    ),
    "blocked by a switch": (
        Scene(lambda tree: tree.add_rfkill("dell-bluetooth", soft=True, hard=True), adapters=OFF),
        "adapter hci0", Level.PROBLEM, "blocked by a switch", "at the machine",
    ),
    "daemon away, adapter there": (Scene(serves=False), "adapter hci0", Level.OK, "whether it is on cannot be asked", "bluetoothd first"),
    "BlueZ too old": (Scene(lambda tree: tree.set_bluez("5.50")), "BlueZ", Level.PROBLEM, "5.50 is too old", "5.55"),
    "BlueZ 5.62": (Scene(lambda tree: tree.set_bluez("5.62")), "BlueZ", Level.WARNING, "every second scan fails", "another version"),
    "BlueZ 5.64": (Scene(lambda tree: tree.set_bluez("5.64")), "BlueZ", Level.WARNING, "links drop often", "5.66 or newer"),
    "BlueZ 5.66": (Scene(lambda tree: tree.set_bluez("5.66")), "BlueZ", Level.WARNING, "forgotten its pairing", "restart bluetooth"),
    "BlueZ 5.87": (Scene(lambda tree: tree.set_bluez("5.87")), "BlueZ", Level.PROBLEM, "bluetoothd crashes", "5.86"),
    "kernel 6.1 on a Pi": (
        Scene(lambda tree: tree.write("/proc/sys/kernel/osrelease", "6.1.21-v8+")),
        "system", Level.WARNING, "can fall silent", "full-upgrade",
    ),
    "a new kernel": (
        Scene(lambda tree: tree.write("/proc/sys/kernel/osrelease", "6.18.3")), "system", Level.OK, "come back to a paired", "6.12",
    ),
    "short supervision": (
        Scene(lambda tree: tree.set_supervision("42")), "links of hci0", Level.OK, "after 420 ms", "ConnectionSupervisionTimeout",
    ),
    "Wi-Fi on an unknown band": (Scene(MachineTree.add_wifi), "Wi-Fi beside it", Level.WARNING, "wlan0 is up, on a band", "apt install iw"),
    "Wi-Fi on 2.4 GHz": (
        Scene(lambda tree: tree.add_wifi_at(2437)),
        "Wi-Fi beside it", Level.WARNING, "wlan0 is on 2.4 GHz", "use 5 GHz or a network cable",
    ),
    "Wi-Fi on 5 GHz": (
        Scene(lambda tree: tree.add_wifi_at(5180)),
        "Wi-Fi beside it", Level.OK, "not on 2.4 GHz", "",
    ),
    "no USB dongle": (Scene(radio="bumble:usb:0"), "USB dongle", Level.PROBLEM, "there is none", "plug one in"),
    "a USB dongle that is no Bluetooth": (
        Scene(lambda tree: tree.add_usb(("09", "00", "00")), radio="bumble:usb:0"), "USB dongle", Level.PROBLEM, "there is none", "plug",
    ),
    "a USB dongle that may not be opened": (
        Scene(lambda tree: tree.add_usb(node=False), radio="bumble:usb:0"),
        "USB dongle", Level.PROBLEM, "/dev/bus/usb/001/004 may not be opened", "60-wavewrap-dongle.rules",
    ),
    "a USB dongle": (Scene(MachineTree.add_usb, radio="bumble:usb:0"), "USB dongle", Level.OK, "CSR8510 A10 may be opened", ""),
    "another transport": (Scene(radio="bumble:tcp-client:127.0.0.1:9"), "radio", Level.OK, "is not used", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BLUETOOTH_SCENES)
def test_bluetooth(name: str, tmp_path: Path) -> None:
    scene, check, level, says, remedy = BLUETOOTH_SCENES[name]
    found = look(tmp_path, scene)
    verdict = find(found, check)
    assert verdict.level is level
    assert says in verdict.says
    assert remedy in (verdict.remedy or "")
    assert (found.exit_code == 1) is any(one.level is Level.PROBLEM for one in found.verdicts)


def test_a_usb_adapter_makes_wifi_and_the_pi_s_old_kernel_harmless(tmp_path: Path) -> None:
    def spoil(tree: MachineTree) -> None:
        no_adapter(tree)
        tree.add_adapter("hci0", USB)
        tree.add_wifi()
        tree.write("/proc/sys/kernel/osrelease", "6.1.21-v8+")

    found = look(tmp_path, Scene(spoil))
    assert find(found, "adapter hci0").says == "usb, on, Bluetooth LE"
    assert find(found, "system").level is Level.OK
    assert not [one for one in found.verdicts if one.check == "Wi-Fi beside it"]


def test_a_bus_that_is_not_there(tmp_path: Path) -> None:
    machine = MachineTree(tmp_path / "root").machine(f"unix:path={tmp_path}/none")
    verdict = find(asyncio.run(examine(machine)), "system bus")
    assert (verdict.level, verdict.says) == (Level.PROBLEM, "cannot be reached (No such file or directory)")
    assert "apt install dbus" in (verdict.remedy or "")


def test_a_daemon_that_does_not_answer(tmp_path: Path) -> None:
    """The bus itself is a socket that takes the caller in and says nothing, then a peer that fails."""

    async def run() -> tuple[Examination, Examination]:
        tree = MachineTree(tmp_path / "root")
        with socket.socket(socket.AF_UNIX) as mute:
            mute.bind(str(tmp_path / "mute"))
            mute.listen()
            silent = await examine(tree.machine(f"unix:path={tmp_path}/mute"))
        async with run_bus(tmp_path) as address, serve_bluez(address) as bus:
            bus.add_message_handler(_fail)
            return silent, await examine(tree.machine(address))

    silent, failing = asyncio.run(run())
    assert find(silent, "system bus").says == "cannot be reached (no answer within 3 s)"
    verdict = find(failing, "bluetoothd")
    assert (verdict.level, verdict.says) == (Level.PROBLEM, "does not answer (out of order)")
    assert "restart bluetooth" in (verdict.remedy or "")


def _fail(message: Message) -> None:
    if message.member == "GetManagedObjects":
        raise DBusError("org.bluez.Error.Failed", "out of order")


@pytest.mark.parametrize(
    ("text", "mode", "level", "says", "remedy"),
    [
        ("radios = 1\n", 0o600, Level.PROBLEM, "radios: unknown key; there are", "config show"),
        ('[mqtt]\nurl = "http://x"\n', 0o600, Level.PROBLEM, "MQTT broker: URL scheme 'http' is unknown", "config show"),
        ('[mqtt]\npassword = "hush"\nusername = "me"\n', 0o644, Level.PROBLEM, "holds a password and is open to every user", "config show"),
        ('[mqtt]\npassword = "hush"\nusername = "me"\n', 0o600, Level.OK, "is valid", ""),
        ("ceiling_mmhg = 60\n", 0o644, Level.OK, "is valid", ""),
    ],
)
def test_configuration(text: str, mode: int, level: Level, says: str, remedy: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    found = look(tmp_path, Scene(config=file, radio="bumble:usb:0"))
    verdict = find(found, "configuration")
    assert verdict.level is level
    assert says in verdict.says
    assert remedy in (verdict.remedy or "")
    assert "hush" not in found.model_dump_json()
    assert bool([one for one in found.verdicts if one.check == "MQTT broker"]) is (level is not Level.PROBLEM)


def test_a_broker_that_is_not_there(tmp_path: Path) -> None:
    verdict = find(look(tmp_path, Scene(broker=f"mqtt://127.0.0.1:{find_free_port()}")), "MQTT broker")
    assert verdict.level is Level.PROBLEM
    assert verdict.says.endswith("refuses connections")
    assert verdict.remedy == "start a broker there or correct host and port"


@needs_mosquitto
def test_a_broker_that_refuses_the_login(tmp_path: Path) -> None:
    with run_mosquitto(tmp_path, ["allow_anonymous false"]) as broker:
        verdict = find(look(tmp_path, Scene(broker=broker.url.replace("//", "//me:hush@"))), "MQTT broker")
    assert verdict.level is Level.PROBLEM
    assert "refuses user 'me'" in verdict.says
    assert verdict.remedy == "correct user name and password, or the user's rights there"


@needs_mosquitto
def test_a_broker_with_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).issue("localhost", "127.0.0.1")
    with run_mosquitto(tmp_path, [f"certfile {certificate}", f"keyfile {key}"]) as broker:
        verdict = find(look(tmp_path, Scene(broker=broker.url.replace("mqtt:", "mqtts:"))), "MQTT broker")
    assert verdict.level is Level.PROBLEM
    assert "its TLS certificate is not trusted" in verdict.says


@needs_mosquitto
def test_a_broker_that_lets_us_in_and_hears_nothing_of_us(tmp_path: Path) -> None:
    with run_mosquitto(tmp_path) as broker, Collector(broker.port, "#") as collector:
        verdict = find(look(tmp_path, Scene(broker=broker.url)), "MQTT broker")
        assert not collector.wait_until(lambda heard: bool(heard.messages), 0.3)
    assert (verdict.level, verdict.says) == (Level.OK, f"{broker.url} lets us in, MQTT 5")
