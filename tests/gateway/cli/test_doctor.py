"""The command as a person or a machine runs it: what it prints, in 80 columns, and its exit code."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.bluez_bus import Adapter, needs_dbus, run_bus, serve_bluez
from tests.support.processes import run_gateway

from wavewrap_gateway.core.verdict import Examination, Level

BARE = ("--radio", "bumble:tcp-client:127.0.0.1:9")
"""A radio that leaves the system's Bluetooth out."""

ONE_PORT_TAKEN = """
import os, pathlib, socket, sys
pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40000")
taken = socket.create_server(("127.0.0.1", 40000))
taken.set_inheritable(True)
os.execv(sys.argv[1], sys.argv[1:])
"""


def own_environment(folder: Path, bus_address: str) -> dict[str, str]:
    """No configuration but its own, and no bus of the machine's."""
    return {**os.environ, "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder), "DBUS_SYSTEM_BUS_ADDRESS": bus_address}


def run_under(prefix: list[str], folder: Path, *arguments: str) -> Examination:
    """``wavewrap doctor --json`` under a program that takes something from it."""
    command = [*prefix, sys.executable, "-m", "wavewrap_gateway", "doctor", "--json", *arguments]
    done = subprocess.run(command, env=own_environment(folder, "unix:path=/none"), capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    if not done.stdout.startswith("{"):
        pytest.skip(f"{prefix[0]} is not granted here: {done.stderr.strip()}")
    found = Examination.model_validate_json(done.stdout)
    assert done.returncode == found.exit_code
    return found


def test_a_person_sees_every_verdict_with_its_remedy_in_80_columns(tmp_path: Path) -> None:
    ended = asyncio.run(run_gateway(tmp_path, "doctor"))
    assert ended.code == 1
    assert ended.stderr == ""
    assert max(map(len, ended.stdout.splitlines())) <= 80
    lines = [line.rstrip() for line in ended.stdout.splitlines()]
    at = next(number for number, line in enumerate(lines) if line.startswith("problem  system bus"))
    assert lines[at].endswith("  cannot be reached (No such file or directory)")
    assert lines[at + 1].strip().startswith("> install and start D-Bus")
    assert lines[-1].split(", ")[0].endswith("problem(s)")


@needs_dbus
def test_without_a_problem_the_exit_code_is_0(tmp_path: Path) -> None:
    """The machine's own files, with a bus on which all is well."""

    async def run() -> tuple[int | None, bytes]:
        async with run_bus(tmp_path) as address, serve_bluez(address, hci0=Adapter(powered=True, roles=["central"])):
            command = (sys.executable, "-m", "wavewrap_gateway", "doctor", "--json")
            environment = own_environment(tmp_path, address)
            process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
            printed, _ = await process.communicate()
            return process.returncode, printed

    code, printed = asyncio.run(run())
    found = Examination.model_validate_json(printed)
    assert [one for one in found.verdicts if one.level is Level.PROBLEM] == []
    assert code == 0
    assert set(json.loads(printed)) == {"version", "verdicts"}


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="only root may have a network of its own")
def test_an_embedded_broker_without_a_port(tmp_path: Path) -> None:
    """A network of its own with one port to give away, and that one taken."""
    found = run_under(["unshare", "--net", sys.executable, "-c", ONE_PORT_TAKEN], tmp_path, *BARE)
    (verdict,) = [one for one in found.verdicts if one.check == "MQTT broker"]
    assert verdict.level is Level.PROBLEM
    assert verdict.says.startswith("embedded MQTT broker cannot listen on 127.0.0.1:0")
    assert verdict.remedy == "end what uses that port or choose another"


@pytest.mark.skipif(shutil.which("setpriv") is None or os.geteuid() != 0, reason="needs root and setpriv to take a right away")
def test_a_machine_that_grants_no_real_time_class(tmp_path: Path) -> None:
    prefix = ["prlimit", "--rtprio=0:0", "setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"]
    found = run_under(prefix, tmp_path, *BARE)
    (verdict,) = [one for one in found.verdicts if one.check == "real-time class"]
    assert verdict.says.startswith("not granted")
    assert "LimitRTPRIO=1" in (verdict.remedy or "")
