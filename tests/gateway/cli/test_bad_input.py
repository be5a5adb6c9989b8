"""What a person types wrong: one line on stderr that says what and what to do, exit code 2, and nothing started."""

import signal
from pathlib import Path

import pytest

from wavewrap_gateway.cli.main import main
from wavewrap_gateway.cli.playing import exit_code
from wavewrap_protocol.payloads import EndedHow, MqttCounts, Quantiles, SessionSummary

NONE = Quantiles(p50=0.0, p99=0.0, max=0.0)

PROGRAM = """name = "plain"
title = "Plain"
description = ""
pattern = "sequential_hold"
duration_min = 10
pressure_mmhg = 60
inflate_s = 3
hold_s = 5
release_s = 2
rest_s = 10
"""


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in a folder of its own and no configuration of the machine's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")


def _complaint(arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and the one line of ``wavewrap arguments``."""
    monkeypatch.setattr("sys.argv", ["wavewrap", *arguments.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert stderr.count("\n") == 1
    assert stderr.endswith("\n")
    assert isinstance(ended.value.code, int)
    return ended.value.code, stderr.rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("fly", "No such command 'fly'. See 'wavewrap --help'."),
        ("run", "Missing argument 'PROGRAM'. See 'wavewrap --help'."),
        ("demo --wraps 0", "Invalid value for '--wraps': Input should be greater than or equal to 1. See 'wavewrap --help'."),
        ("demo --chambers 9", "Invalid value for '--chambers': Input should be less than or equal to 8. See 'wavewrap --help'."),
        ("demo --zzz 2", "No such option: --zzz. See 'wavewrap --help'."),
        ("demo --for 5", "recovery: 5 s is shorter than one cycle of 60 s; give at least that"),
        ("demo --program recvery", "no preset is called 'recvery': did you mean recovery? A path to a file ends in .toml"),
        (
            "run missing.toml",
            "missing.toml: cannot be read (No such file or directory); give the path of a program file or the name of a preset",
        ),
        ("run recovery --config missing.toml", "missing.toml: cannot be read (No such file or directory): give another with --config"),
        ("scan --config .", ".: cannot be read (Is a directory): give another with --config"),
        ("run recovery --radio wifi", "radio 'wifi': use 'platform', or 'bumble:' and a transport such as 'bumble:usb:0'"),
        (
            "scan --radio bumble:telepathy",
            "radio 'bumble:telepathy': no transport can be read from it (unknown transport scheme): "
            "write it as bumble:usb:0 or bumble:tcp-client:127.0.0.1:9001",
        ),
        (
            "scan --radio bumble:tcp-client:127.0.0.1:port",
            "radio 'bumble:tcp-client:127.0.0.1:port': no transport can be read from it (invalid literal for int() with base 10: 'port'): "
            "write it as bumble:usb:0 or bumble:tcp-client:127.0.0.1:9001",
        ),
    ],
)
def test_arguments(arguments: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _complaint(arguments, monkeypatch, capsys) == (2, f"wavewrap: {line}")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("pressure_mmhg = 60", "pressure_mmhg = 90", "6: pressure_mmhg 90: over the ceiling of 80 mmHg; lower it to 80 or less"),
        ("pressure_mmhg = 60", "pressure_mmhg = ", "6: Invalid value; write it as TOML, for example pressure_mmhg = 50"),
        ("pressure_mmhg = 60", 'pressure_mmhg = "60"', "6: pressure_mmhg '60': should be a valid number"),
        ("pressure_mmhg = 60\n", "", "1: pressure_mmhg is missing: add it"),
        ("hold_s = 5", "hold_s = 90", "8: hold_s 90"),
        ("rest_s = 10", "rest_z = 10", "10: rest_z: unknown key; did you mean rest_s?"),
    ],
)
@pytest.mark.parametrize("command", ["demo --program", "run"])
def test_programs(
    command: str, old: str, new: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text(PROGRAM.replace(old, new), encoding="utf-8")
    code, complaint = _complaint(f"{command} mine.toml", monkeypatch, capsys)
    assert code == 2
    assert complaint.startswith(f"wavewrap: mine.toml:{line}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("radio = \n", "gateway.toml: Invalid value (at line 1, column 9): write it as TOML"),
        (
            "\nradios = 1",
            "gateway.toml:2: radios: unknown key; "
            "there are ceiling_mmhg, commands, dashboard, gateway, home_assistant, journal, known_wraps, mqtt, names, outbox, "
            "programs, radio, record, store",
        ),
        (
            '[mqtt]\nulr = "x"',
            "gateway.toml:2: mqtt.ulr: unknown key; "
            "there are base_topic, ca_file, cert_file, fallbacks, idle_telemetry, key_file, listen, password, password_file, "
            "patience_s, url, username, users_file",
        ),
        ("ceiling_mmhg = 500", "gateway.toml:1: ceiling_mmhg: Input should be less than or equal to 110"),
    ],
)
def test_configuration(text: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gateway.toml").write_text(text, encoding="utf-8")
    assert _complaint("run recovery --config gateway.toml", monkeypatch, capsys) == (2, f"wavewrap: {line}")


def test_environment(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WAVEWRAP_CEILING_MMHG", "500")
    line = "environment WAVEWRAP_CEILING_MMHG: ceiling_mmhg: Input should be less than or equal to 110"
    assert _complaint("scan", monkeypatch, capsys) == (2, f"wavewrap: {line}")


def test_a_program_over_the_configured_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gateway.toml").write_text("ceiling_mmhg = 50", encoding="utf-8")
    code, complaint = _complaint("run recovery --config gateway.toml", monkeypatch, capsys)
    assert code == 2
    assert "pressure_mmhg 70: over the ceiling of 50 mmHg; lower it to 50 or less" in complaint


@pytest.mark.parametrize("url", ["http://127.0.0.1", "mqtt://", "mqtt://127.0.0.1:port"])
def test_broker_urls(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, complaint = _complaint(f"run recovery --broker {url}", monkeypatch, capsys)
    assert code == 2
    assert complaint.startswith("wavewrap: MQTT ")


@pytest.mark.parametrize(
    ("brokers", "line"),
    [
        (
            "--broker mqtt://a --broker http://b",
            "--broker: MQTT broker: URL scheme 'http' is unknown: use mqtt://host:port or mqtts://host:port",
        ),
        (
            "--broker mqtt://a --broker mqtt://b --broker mqtt://A:1883",
            "dashboard: the broker mqtt://a:1883 is named twice: name it once, with all of its base_topics",
        ),
        (
            "--broker mqtt://a --broker mqtt://b --base-topic a --base-topic a",
            "--base-topic: a is named twice or lies below another: each message must be of one gateway, give them topics apart",
        ),
        ("", "no broker is configured: name that of the gateway with --broker mqtt://host:port, or in the table [mqtt]"),
    ],
)
def test_brokers_of_the_page(brokers: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _complaint(f"dashboard {brokers}", monkeypatch, capsys) == (2, f"wavewrap: {line}")


@pytest.mark.parametrize(
    ("ended", "vented", "signal_number", "code"),
    [
        (EndedHow.COMPLETED, True, None, 0),
        (EndedHow.COMPLETED, True, 2, 0),
        (EndedHow.STOPPED, True, 2, 130),
        (EndedHow.STOPPED, True, 15, 143),
        (EndedHow.STOPPED, True, None, 1),
        (EndedHow.FAULTED, True, None, 1),
        (EndedHow.COMPLETED, False, None, 1),
        (EndedHow.STOPPED, False, 2, 1),
    ],
)
def test_exit_codes_of_sessions(ended: EndedHow, vented: bool, signal_number: int | None, code: int) -> None:
    summary = SessionSummary(
        program="p",
        ended=ended,
        reason="r",
        vented=vented,
        duration_s=1.0,
        wraps=[],
        skew_ms=NONE,
        mqtt=MqttCounts(published=0, acknowledged=0, dropped=0),
        host_lateness_ms=NONE,
    )
    assert exit_code(summary, None if signal_number is None else signal.Signals(signal_number)) == code
