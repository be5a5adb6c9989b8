"""Three nats-server on loopback that replicate every message; any of them can be killed and brought back."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from wavewrap_protocol.errors import LocalError

__all__ = ["NatsCluster", "find_nats_server", "run_nats_cluster"]

NODES = 3


def find_nats_server() -> str | None:
    """Path of the program; Debian puts it where a user's PATH does not look."""
    return shutil.which("nats-server", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


class NatsCluster:
    """``mqtt_ports`` stay the same over kill and start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        ports = _free_ports(3 * NODES)
        self.mqtt_ports = ports[:NODES]
        self._client_ports, self._route_ports = ports[NODES : 2 * NODES], ports[2 * NODES :]

    def start(self, node: int) -> None:
        """Start ``node``; that the cluster takes clients is for them to find out. Raises :class:`LocalError` without nats-server."""
        program = find_nats_server()
        if program is None:
            raise LocalError("nats-server is not installed: apt-get install nats-server")
        config = self._folder / f"node-{node}.conf"
        config.write_text(self._config(node), encoding="utf-8")
        with (self._folder / f"node-{node}.log").open("ab") as log:
            self._processes[node] = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)

    def kill(self, node: int) -> None:
        """SIGKILL; more than once does no harm."""
        process = self._processes.pop(node, None)
        if process is not None:
            process.kill()
            process.wait()

    def _config(self, node: int) -> str:
        others = ", ".join(f'"nats-route://127.0.0.1:{port}"' for at, port in enumerate(self._route_ports) if at != node)
        return "\n".join(
            [
                f"server_name: node-{node}",
                f"listen: 127.0.0.1:{self._client_ports[node]}",
                f'jetstream {{ store_dir: "{self._folder / f"node-{node}"}" }}',
                f'mqtt {{ listen: 127.0.0.1:{self.mqtt_ports[node]}, ack_wait: "10s", max_ack_pending: 1000, stream_replicas: {NODES} }}',
                f"cluster {{ name: wavewrap, listen: 127.0.0.1:{self._route_ports[node]}, routes: [{others}] }}",
                "",
            ]
        )


@contextmanager
def run_nats_cluster(folder: Path) -> Iterator[NatsCluster]:
    """All nodes running; gone afterwards. Raises :class:`LocalError`."""
    cluster = NatsCluster(folder)
    with ExitStack() as stack:
        for node in range(NODES):
            stack.callback(cluster.kill, node)
            cluster.start(node)
        yield cluster


def _free_ports(count: int) -> list[int]:
    """All held at once, so that none is given twice."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
