"""Adapters, wraps and brokers that are not there or will not do: one line on stderr, exit code 1, nothing left running."""

import asyncio
from pathlib import Path

import pytest
from tests.support.brokers import find_free_port
from tests.support.own_air import ADDRESS, run_empty_air, run_future_wrap
from tests.support.processes import Ended, run_gateway, run_simulator
from tests.support.scripted_broker import connack_v5, run_scripted_broker

pytestmark = pytest.mark.realtime

AT_ONCE = 3
"""Gateways that start together; more would crowd two cores."""

BAD_LOGIN = 0x86
"""Reason code "bad user name or password" (MQTT 5.0 section 3.2.2.2)."""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """Every case by its name, a few at the same time."""
    return asyncio.run(_play_all(tmp_path_factory.mktemp("bad-peers")))


async def _play_all(folder: Path) -> dict[str, Ended]:
    room = asyncio.Semaphore(AT_ONCE)

    async def play(name: str, *arguments: object) -> tuple[str, Ended]:
        async with room:
            return name, await run_gateway(folder / name, *arguments)

    clock = asyncio.get_running_loop().time
    async with (
        run_simulator(folder / "sim") as simulator,
        run_scripted_broker({5: connack_v5(BAD_LOGIN)}) as refusing,
        run_future_wrap(clock) as future,
        run_empty_air() as empty,
    ):
        near = ("run", "recovery", "--radio", simulator.radio)
        nobody = f"bumble:tcp-client:127.0.0.1:{find_free_port()}"
        secret = f"mqtt://anna:geheim@127.0.0.1:{refusing.port}"
        log = folder / "no-such-folder" / "sim.jsonl"
        port_in_use = simulator.radio.rsplit(":", 1)[1]
        cases = await asyncio.gather(
            play("too few wraps", *near, "--wraps", 3),
            play("no such address", *near, "--address", "F0:57:52:99:99:99"),
            play("nobody to scan", "scan", "--radio", empty, "--for", 0.5),
            play("no controller", "run", "recovery", "--radio", nobody),
            play("no adapter", "run", "recovery", "--radio", "platform"),
            play("no adapter to scan with", "scan", "--radio", "platform"),
            play("broker unreachable", *near, "--broker", f"mqtt://127.0.0.1:{find_free_port()}"),
            play("credentials refused", *near, "--broker", secret),
            play("another version", "run", "recovery", "--radio", future, "--wraps", 1),
            play("port in use", "sim", "--port", port_in_use),
            play("log not writable", "sim", "--port", 0, "--log", log),
            play("log of a demo not writable", "demo", "--log", log),
            play("demo without broker", "demo", "--broker", f"mqtt://127.0.0.1:{find_free_port()}"),
            play("too short for these wraps", *near, "--for", 5),
        )
        assert simulator.running.stderr == ""
    return dict(cases)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("too few wraps", "wavewrap: found 2 of 3 wraps within 10 s: switch them on and bring them near, or ask for fewer"),
        ("no such address", "wavewrap: found 0 of 1 wraps within 10 s: switch them on and bring them near, or ask for fewer"),
        ("nobody to scan", "wavewrap: no wrap was heard within 0.5 s: switch one on, bring it near, or listen longer with --for"),
        ("no controller", "wavewrap: no controller at tcp-client:127.0.0.1:"),
        ("no adapter", "wavewrap: scanning failed ("),
        ("no adapter to scan with", "wavewrap: scanning failed ("),
        ("broker unreachable", "wavewrap: MQTT broker mqtt://127.0.0.1:"),
        ("demo without broker", "wavewrap: MQTT broker mqtt://127.0.0.1:"),
        ("credentials refused", "wavewrap: MQTT broker mqtt://127.0.0.1:"),
        ("another version", f"wavewrap: {ADDRESS}: the wrap speaks protocol version 2, this gateway speaks version 1: update the gateway"),
        ("port in use", "wavewrap sim: the simulator cannot start: port "),
        ("log not writable", "wavewrap sim: the simulator cannot start: "),
        ("log of a demo not writable", "wavewrap: the simulator cannot start: "),
    ],
)
def test_one_line_and_exit_code_1(ended: dict[str, Ended], name: str, line: str) -> None:
    case = ended[name]
    assert (case.code, case.stdout.strip(), case.left_running) == (1, "", [])
    assert len(case.lines) == 1, case.stderr
    assert case.lines[0].startswith(line)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("no controller", "plug the adapter in, or start the simulator with 'wavewrap sim'"),
        ("no adapter", "switch the Bluetooth adapter on (on Linux bluetoothd must run), or use another with --radio bumble:usb:0"),
        ("broker unreachable", "refuses connections: start a broker there or correct host and port"),
        (
            "credentials refused",
            "refuses user 'anna' (Bad user name or password): correct user name and password, or the user's rights there",
        ),
        ("port in use", "is in use: choose another with --port"),
        ("log not writable", "No such file or directory: choose another with --log"),
        ("log of a demo not writable", "No such file or directory: choose another with --log"),
    ],
)
def test_the_line_says_what_to_do(ended: dict[str, Ended], name: str, remedy: str) -> None:
    assert ended[name].lines[0].endswith(remedy)


def test_a_session_shorter_than_a_cycle_is_the_users_mistake(ended: dict[str, Ended]) -> None:
    case = ended["too short for these wraps"]
    assert (case.code, case.left_running) == (2, [])
    assert case.lines == ["wavewrap: recovery: 5 s is shorter than one cycle of 60 s; give at least that"]


def test_no_password_is_printed(ended: dict[str, Ended]) -> None:
    assert "geheim" not in ended["credentials refused"].stderr


def test_another_version_is_refused_at_once(ended: dict[str, Ended]) -> None:
    """Trying again cannot help, so nothing waits for the 40 s that links are given."""
    assert ended["another version"].took_s < 35.0
