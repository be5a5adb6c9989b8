"""The unit and the rule as systemd itself reads them, and held against the figures in the code."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wavewrap_gateway.adapters.ble_connection import GATT_TIMEOUT_S
from wavewrap_gateway.adapters.broker import STOP_S
from wavewrap_gateway.adapters.pacing import PRIORITY
from wavewrap_gateway.adapters.store_writer import CLOSE_S as STORE_CLOSE_S
from wavewrap_gateway.runtime.roster import READY_S, SCAN_S
from wavewrap_gateway.runtime.session_desk import DRAIN_S
from wavewrap_gateway.runtime.session_runner import VENT_S
from wavewrap_gateway.runtime.supervision import LATE_MAX_S, PINGS

DEPLOY = Path(__file__).parents[2] / "gateway" / "deploy"
UNIT = DEPLOY / "systemd" / "wavewrap-session@.service"
DAEMON = DEPLOY / "systemd" / "wavewrap.service"
USERS = DEPLOY / "systemd" / "wavewrap.sysusers.conf"
RULE = DEPLOY / "udev" / "60-wavewrap-dongle.rules"

CLOSE_S = 6.0
"""A publisher's close: what waits, "offline" and the disconnect, 2 s each."""

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze: apt-get install systemd")


def setting(name: str, unit: Path = UNIT) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    return str(value)


@needs_systemd
@pytest.mark.parametrize(("source", "instance"), [(UNIT, "recovery"), (UNIT, "my-program.toml"), (DAEMON, "")])
def test_systemd_finds_no_fault_in_the_unit(source: Path, instance: str, tmp_path: Path) -> None:
    """With the path of an executable that is there; everything else as it is."""
    text = source.read_text(encoding="utf-8").replace("/opt/wavewrap/bin/wavewrap", sys.executable)
    (tmp_path / source.name).write_text(text, encoding="utf-8")
    unit = tmp_path / source.name.replace("@", f"@{instance}")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60)
    own = [line for line in done.stderr.splitlines() if "wavewrap" in line]
    assert own == []


@needs_systemd
@pytest.mark.parametrize("unit", [UNIT, DAEMON], ids=lambda unit: str(unit.stem))
def test_the_unit_is_closed_as_far_as_a_session_allows(unit: Path, tmp_path: Path) -> None:
    """systemd's own measure, from 0 (closed) to 10; under 2 is "OK"."""
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout.splitlines()[-1]
    assert "Overall exposure level" in done.stdout


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="no systemd-sysusers: apt-get install systemd")
def test_the_user_of_the_unit_is_made_and_may_talk_to_bluetooth(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "group").write_text("bluetooth:x:112:\n", encoding="utf-8")
    done = subprocess.run(["systemd-sysusers", f"--root={tmp_path}", str(USERS)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    made = [line.split(":") for line in (tmp_path / "etc" / "passwd").read_text(encoding="utf-8").splitlines()]
    assert [(name, home) for name, *_, home, _shell in made] == [(setting("User"), "/var/lib/wavewrap")]
    groups = (tmp_path / "etc" / "group").read_text(encoding="utf-8").splitlines()
    assert f"{setting('SupplementaryGroups')}:x:112:wavewrap" in groups


@pytest.mark.skipif(shutil.which("udevadm") is None, reason="udevadm is not installed: apt-get install udev")
def test_the_rule_has_only_keys_that_udev_knows() -> None:
    """udevadm verify came with systemd 254; an older one can only be asked whether it knows the word."""
    done = subprocess.run(["udevadm", "verify", "--no-style", str(RULE)], capture_output=True, text=True, timeout=60)
    if "Unknown command" in done.stderr or "unknown command" in done.stderr.lower():
        pytest.skip("udevadm verify needs systemd 254 or newer")
    assert done.returncode == 0, done.stderr


def test_the_times_in_the_unit_leave_the_session_its_own() -> None:
    vent_and_close_s = VENT_S + 2.0 * DRAIN_S + CLOSE_S + GATT_TIMEOUT_S + STOP_S + STORE_CLOSE_S
    assert float(setting("TimeoutStopSec")) > vent_and_close_s
    # The embedded broker is given 20 s, a platform radio that does not answer fails by itself.
    assert float(setting("TimeoutStartSec")) > SCAN_S + READY_S + 20.0
    watchdog_s = float(setting("WatchdogSec"))
    assert watchdog_s / PINGS + LATE_MAX_S < watchdog_s, "one late wake-up alone would be deadly"
    assert int(setting("LimitRTPRIO")) == PRIORITY


def test_the_daemon_has_the_same_rights_and_times_and_comes_back_idle() -> None:
    for name in ("WatchdogSec", "TimeoutStopSec", "KillSignal", "KillMode", "SuccessExitStatus", "User", "LimitRTPRIO", "ProtectSystem"):
        assert setting(name, DAEMON) == setting(name), name
    # A radio that does not answer fails by itself; our own broker is given 20 s.
    assert float(setting("TimeoutStartSec", DAEMON)) > SCAN_S + 20.0
    assert setting("Type", DAEMON) == "notify"
    assert setting("Restart", DAEMON) == "on-failure"
    assert setting("ExecStart", DAEMON).endswith("/wavewrap gateway")


def test_a_session_never_starts_again_by_itself() -> None:
    assert setting("Restart") == "no"
    assert setting("KillSignal") == "SIGTERM"
    assert setting("Type") == "notify"
