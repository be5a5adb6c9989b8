"""The embedded broker: amqtt in a child process, for whoever has no broker of their own.

Loopback only and no login, unless it is given a file of users; in memory,
MQTT 3.1.1; good for a demonstration and a table full of wraps. The child ends with its parent.
"""

import asyncio
import ipaddress
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from pathlib import Path

from wavewrap_gateway.adapters.child_process import end_child
from wavewrap_gateway.adapters.private_files import refuse_open
from wavewrap_protocol.errors import BrokerError, UsageError

__all__ = ["EMBEDDED_VERSION", "EmbeddedBroker"]

EMBEDDED_VERSION = "3.1.1"
"""The MQTT version it speaks; given as ``MqttSettings.version`` it saves the second that finding out takes."""

START_S = 20.0
"""Choice: measured 0.2 s on a laptop-class core; a small board with a cold disk and other load is given a hundred times that."""

STOP_S = 3.0
"""Choice: the child allows itself 1 s to shut down; after this it is killed."""

_MODULE = "wavewrap_gateway.adapters.broker_child"


class EmbeddedBroker:
    """``port`` 0 takes any free one. ``users_file`` names who may log in (``adapters.broker_users``); others are refused then."""

    def __init__(self, port: int = 0, listen: str = "127.0.0.1", users_file: Path | None = None) -> None:
        self._port = port
        self._listen = listen
        self._users_file = users_file
        self._process: Process | None = None
        self._stderr: deque[str] = deque(maxlen=20)
        self._stderr_task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id, None while it does not run."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> str:
        """Start the child and return its URL once it accepts connections.

        Raises BrokerError, and UsageError for an address or a file of users that must not be; then nothing is left running.
        """
        loopback = _check_address(self._listen)
        arguments = [str(self._port), self._listen]
        if self._users_file is not None:
            refuse_open(self._users_file, "the users of the gateway's own broker")
            arguments.append(str(self._users_file))
        elif not loopback:
            raise UsageError(
                f"mqtt.listen {self._listen}: anybody there could start a session: give mqtt.users_file too, or a broker's URL"
            )
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", _MODULE, *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        self._stderr_task = asyncio.create_task(self._collect_stderr(self._process), name="broker-stderr")
        try:
            async with asyncio.timeout(START_S):
                port = await self._read_port(self._process)
        except TimeoutError:
            await self.close()
            raise BrokerError(f"embedded MQTT broker not ready within {START_S:g} s: try again, or give a broker's URL") from None
        except BaseException:
            await self.close()
            raise
        return f"mqtt://{_reachable(self._listen)}:{port}"

    async def wait_ended(self) -> None:
        """Return when the child has ended by itself; never while it is well. Raises BrokerError then."""
        process = self._process
        if process is not None:
            await process.wait()
        if self._process is not None:
            last = self._stderr[-1] if self._stderr else f"exit code {self._process.returncode}"
            raise BrokerError(f"the embedded MQTT broker ended ({last}): start again, or give a broker's URL")

    async def close(self) -> None:
        """End the child and wait for it; more than once does no harm."""
        process, self._process = self._process, None
        if process is None:
            return
        await end_child(process, STOP_S)
        if self._stderr_task is not None:
            await self._stderr_task

    async def _read_port(self, process: Process) -> int:
        if process.stdout is None:
            raise BrokerError("embedded MQTT broker has no standard output: give a broker's URL instead")
        line = await process.stdout.readline()
        if not line:
            await process.wait()
            if self._stderr_task is not None:
                await self._stderr_task
            last = self._stderr[-1] if self._stderr else f"exit code {process.returncode}"
            raise BrokerError(f"embedded MQTT broker died at its start ({last}): reinstall wavewrap, or give a broker's URL")
        answer = json.loads(line)
        if "error" in answer:
            where = f"{self._listen}:{self._port}"
            raise BrokerError(
                f"embedded MQTT broker cannot listen on {where} ({answer['error']}): end what uses that port or choose another"
            )
        return int(answer["port"])

    async def _collect_stderr(self, process: Process) -> None:
        if process.stderr is not None:
            async for line in process.stderr:
                self._stderr.append(line.decode(errors="replace").rstrip())


def _check_address(listen: str) -> bool:
    """Whether ``listen`` is reachable from this machine only. Raises UsageError for what is no address."""
    try:
        return ipaddress.ip_address(listen).is_loopback
    except ValueError:
        raise UsageError(f"mqtt.listen {listen!r}: is no IP address: give 127.0.0.1, 0.0.0.0 or one of this machine's") from None


def _reachable(listen: str) -> str:
    """Where we ourselves reach what listens on ``listen``, as a URL writes it."""
    address = ipaddress.ip_address(listen)
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return str(address) if address.version == 4 else f"[{address}]"
