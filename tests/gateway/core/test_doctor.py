"""Judgements on facts that no test can bring about on the machine it runs on: another interpreter, another library, another clock."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from wavewrap_gateway.core.doctor_bluetooth import (
    AdapterFacts,
    Attachment,
    BluetoothFacts,
    BusFacts,
    Daemon,
    judge_bluetooth,
)
from wavewrap_gateway.core.doctor_host import (
    ClockFacts,
    FolderFacts,
    PythonFacts,
    SystemFacts,
    judge_clock,
    judge_folder,
    judge_pacing,
    judge_python,
    judge_system,
)
from wavewrap_gateway.core.doctor_setup import BrokerFacts, judge_broker
from wavewrap_gateway.core.known_versions import FITTING, KNOWN, find_known, read_version
from wavewrap_gateway.core.verdict import Examination, Level, Verdict
from wavewrap_protocol.payloads import Pacing

PYTHON = PythonFacts((3, 11, 2), True, {"bleak": "3.1.0", "dbus-fast": "5.2.0"})
DEBIAN = SystemFacts("Linux", "Debian GNU/Linux 12 (bookworm)", "6.1.0-18-amd64", "x86_64", None, True)
PI = replace(DEBIAN, kernel="6.12.47+rpt-rpi-v8", machine="aarch64", model="Raspberry Pi 5 Model B Rev 1.0")
CLOCK = ClockFacts(True, 12.3, 1e-9)
FOLDER = FolderFacts("/data/wavewrap", "/data/wavewrap", 2_000_000_000, None)
BROKER = BrokerFacts("mqtt://broker.example:1883", embedded=False, fault=None, version="5", in_clear=False)


@pytest.mark.parametrize(
    ("facts", "check", "level", "says"),
    [
        (PYTHON, "Python", Level.OK, "3.11.2"),
        (replace(PYTHON, version=(3, 10, 12)), "Python", Level.PROBLEM, "3.10.12 is too old"),
        (replace(PYTHON, version=(3, 14, 0)), "Python", Level.OK, "3.14.0"),
        (replace(PYTHON, isolated=False), "Python", Level.OK, "3.11.2, in the system's own environment"),
        (
            replace(PYTHON, libraries={"bleak": "3.0.2"}),
            "bleak",
            Level.PROBLEM,
            "3.0.2 does not fit: 3.1 to below 3.2 is needed",
        ),
        (
            replace(PYTHON, libraries={"bleak": "3.2.0"}),
            "bleak",
            Level.PROBLEM,
            "3.2.0 does not fit: 3.1 to below 3.2 is needed",
        ),
        (replace(PYTHON, libraries={"bleak": None}), "bleak", Level.PROBLEM, "is not installed"),
        (
            replace(PYTHON, libraries={"dbus-fast": "4.9.0"}),
            "dbus-fast",
            Level.PROBLEM,
            "4.9.0 does not fit: 5.0 to below 6.0 is needed",
        ),
        (replace(PYTHON, libraries={"dbus-fast": "5.2.0"}), "dbus-fast", Level.OK, "5.2.0"),
    ],
)
def test_python_and_libraries(facts: PythonFacts, check: str, level: Level, says: str) -> None:
    (verdict,) = [one for one in judge_python(facts) if one.check == check]
    assert (verdict.level, verdict.says) == (level, says)
    assert (verdict.remedy is None) is (facts == PYTHON or (check == "dbus-fast" and level is Level.OK))


def test_another_system_is_looked_at_as_far_as_that_goes() -> None:
    verdict = judge_system(replace(DEBIAN, system="Darwin", distribution=None, kernel="24.1.0"), onboard_radio=False)
    assert (verdict.level, verdict.says) == (Level.OK, "Darwin, kernel 24.1.0, x86_64")
    assert "only Python, the broker, the clock and the folders" in (verdict.remedy or "")


@pytest.mark.parametrize(
    ("clock", "system", "level", "says", "remedy"),
    [
        (CLOCK, DEBIAN, Level.OK, "synchronised, within 12 ms", ""),
        (replace(CLOCK, error_ms=0.0), DEBIAN, Level.OK, "synchronised", ""),
        (replace(CLOCK, synchronised=None), DEBIAN, Level.OK, "cannot be asked", "from the network"),
        (replace(CLOCK, synchronised=False), DEBIAN, Level.WARNING, "MQTT messages may be wrong", "timedatectl set-ntp true"),
        (replace(CLOCK, synchronised=False), replace(DEBIAN, systemd=False), Level.WARNING, "may be wrong", "chrony"),
        (replace(CLOCK, synchronised=False), PI, Level.WARNING, "without a clock battery", "timedatectl"),
    ],
)
def test_the_wall_clock(clock: ClockFacts, system: SystemFacts, level: Level, says: str, remedy: str) -> None:
    wall, session = judge_clock(clock, system)
    assert wall.level is level
    assert says in wall.says
    assert remedy in (wall.remedy or "")
    assert (session.level, session.says) == (Level.OK, "steps by 1 ns")


def test_a_session_clock_without_high_resolution() -> None:
    _, session = judge_clock(replace(CLOCK, resolution_s=0.004), DEBIAN)
    assert (session.level, session.says) == (Level.WARNING, "steps by 4 ms: no high-resolution timers")
    assert "highres=off" in (session.remedy or "")


def test_the_real_time_class_is_named_or_a_hint_given() -> None:
    assert judge_pacing(Pacing(timer="timerfd", slack_ns=0, policy="fifo")).says == "SCHED_FIFO is granted"
    refused = judge_pacing(Pacing(timer="timerfd", slack_ns=1, policy="other"))
    assert refused.level is Level.OK
    assert "LimitRTPRIO=1" in (refused.remedy or "")


@pytest.mark.parametrize(
    ("facts", "written", "level", "says"),
    [
        (FOLDER, True, Level.OK, "/data/wavewrap, 2.0 GB free"),
        (replace(FOLDER, free_bytes=50_000_000), True, Level.WARNING, "/data/wavewrap: only 50.0 MB are free"),
        (replace(FOLDER, free_bytes=10_000), True, Level.PROBLEM, "/data/wavewrap: the disk is full"),
        (replace(FOLDER, stands_in="/data", refusal="no right to"), True, Level.PROBLEM, "/data cannot be written (no right to)"),
        (replace(FOLDER, stands_in="/data", refusal="no right to"), False, Level.OK, "/data cannot be written (no right to)"),
    ],
)
def test_folders(facts: FolderFacts, written: bool, level: Level, says: str) -> None:
    verdict = judge_folder("data folder", facts, written=written)
    assert (verdict.level, verdict.says) == (level, says)
    assert (verdict.remedy is None) is (facts == FOLDER)


def test_a_password_in_clear_is_a_warning() -> None:
    verdict = judge_broker(replace(BROKER, in_clear=True))
    assert verdict.level is Level.WARNING
    assert "mqtts://" in (verdict.remedy or "")
    assert judge_broker(BROKER) == Verdict(check="MQTT broker", level=Level.OK, says="mqtt://broker.example:1883 lets us in, MQTT 5")


@pytest.mark.parametrize(
    ("text", "version"),
    [("bluetoothctl: 5.66", (5, 66)), ("5.66-1+deb12u2", (5, 66)), ("6.12.47+rpt-rpi-v8", (6, 12, 47)), ("five", None)],
)
def test_versions_are_read_from_what_tools_print(text: str, version: tuple[int, ...] | None) -> None:
    assert read_version(text) == version


@pytest.mark.parametrize(
    ("version", "reason"),
    [((6, 14, 9), None), ((6, 15), "come back"), ((6, 15, 3), "come back"), ((7, 0), "come back"), ((6, 1, 21), None)],
)
def test_a_range_of_versions_has_its_ends(version: tuple[int, ...], reason: str | None) -> None:
    known = find_known("kernel", version)
    assert known is None if reason is None else known is not None and reason in known.reason


def test_what_fits_is_what_is_asked_for() -> None:
    text = (Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    asked = {name: tuple(map(read_bound, bounds)) for name, *bounds in re.findall(r'"(bleak|dbus-fast)>=([\d.]+),<([\d.]+)', text)}
    assert asked == FITTING


def read_bound(text: str) -> tuple[int, ...] | None:
    return read_version(text if "." in text else f"{text}.0")


def test_everything_known_of_a_version_says_where_from() -> None:
    assert all(one.source.startswith("https://github.com/") and one.reason and one.remedy for one in KNOWN)


def test_an_adapter_without_word_of_its_roles_is_taken_as_it_is() -> None:
    """BlueZ before 5.57 says nothing of roles."""
    adapter = AdapterFacts("hci0", Attachment.USB, True, True, None, False, False, None)
    facts = BluetoothFacts(BusFacts(None, Daemon.ANSWERS, ""), True, None, (adapter,), "me", True)
    assert [one.level for one in judge_bluetooth(facts, DEBIAN)] == [Level.OK, Level.OK]


def test_only_a_problem_fails() -> None:
    verdicts = [Verdict(check=level.value, level=level, says="") for level in Level]
    assert Examination(version="0", verdicts=verdicts).exit_code == 1
    assert Examination(version="0", verdicts=verdicts[:2]).exit_code == 0
    assert sorted(Level, key=lambda level: level.rank) == [Level.OK, Level.WARNING, Level.PROBLEM]
