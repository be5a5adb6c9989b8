"""A real PostgreSQL server of a test's own, on a socket in a folder, ended by its own process; it listens on no port."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psutil

__all__ = ["PostgresServer", "missing_postgres", "run_postgres"]

OWNER = "postgres"
"""The server refuses to run as root; Debian's package makes this user."""

START_S = 30


def _find(program: str) -> str | None:
    """Debian keeps the server's programs where nobody's PATH looks."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(program, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))


def missing_postgres() -> str | None:
    """Why there can be no server here; ``None`` where there can."""
    if _find("initdb") is None or _find("pg_ctl") is None:
        return "PostgreSQL is not installed: apt-get install postgresql"
    if find_spec("psycopg") is None:
        return "psycopg is not installed: pip install 'wavewrap[postgres]'"
    if os.geteuid() == 0:
        if OWNER not in {entry.pw_name for entry in pwd.getpwall()}:
            return f"root may not run PostgreSQL and there is no user {OWNER}: apt-get install postgresql"
        if shutil.which("runuser") is None:
            return "root may not run PostgreSQL and runuser is not installed: apt-get install util-linux"
    return None


class PostgresServer:
    """A server whose files lie in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._folder = folder
        self._as_owner = ("runuser", "-u", OWNER, "--") if os.geteuid() == 0 else ()

    def _run(self, *command: str) -> None:
        # To a file: the server would keep a pipe open, and whoever reads that would wait for it.
        log = self._folder / "commands.log"
        with log.open("ab") as out:
            done = subprocess.run(
                [*self._as_owner, *command], check=False, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self._folder
            )
        assert done.returncode == 0, log.read_text()

    def make(self) -> None:
        """Create the cluster. Nothing is forced onto the disk while it is made."""
        initdb = _find("initdb")
        assert initdb is not None
        self._run(initdb, "-D", str(self._data), "-U", OWNER, "--auth=trust", "--no-sync", "--encoding=UTF8")

    def start(self) -> None:
        """Start, and wait until connections are accepted."""
        pg_ctl = _find("pg_ctl")
        assert pg_ctl is not None
        options = f"-c listen_addresses='' -c unix_socket_directories={self._folder} -c shared_buffers=16MB -c max_connections=20"
        log = str(self._folder / "server.log")
        self._run(pg_ctl, "-D", str(self._data), "-l", log, "-o", options, "-w", "-t", str(START_S), "start")

    def kill(self) -> None:
        """End it and all of its processes at once, as a crash does; the next start recovers."""
        pg_ctl = _find("pg_ctl")
        assert pg_ctl is not None
        self.resume()  # one that is paused cannot end
        self._run(pg_ctl, "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def pause(self) -> None:
        """Stop it and all of its processes where they are: connections stay open and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        chief = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        for process in (chief, *chief.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # a worker may end meanwhile
                process.send_signal(number)

    @property
    def is_up(self) -> bool:
        """Whether it was started and not ended since."""
        return (self._data / "postmaster.pid").exists()

    def make_database(self, name: str) -> str:
        """A new, empty database; returns the URL that the gateway is given."""
        createdb = _find("createdb")
        assert createdb is not None
        self._run(createdb, "-h", str(self._folder), "-U", OWNER, name)
        return self.url(name)

    def url(self, name: str) -> str:
        """Of the database ``name``."""
        return f"postgresql://{OWNER}@/{name}?host={self._folder}"


@contextmanager
def run_postgres() -> Iterator[PostgresServer]:
    """A running server that is gone afterwards. Its folder has a short name: that of a socket may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="wavewrap-pg-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        server = PostgresServer(folder)
        server.make()
        server.start()
        try:
            yield server
        finally:
            if server.is_up:
                server.kill()
