"""The history's service, a child process: started at the first ask, ended when nobody has asked for a while, and with this process.

So this server stays small: it loads no database and no numpy, and hands answers on as the bytes they came as. What happens to the child
(it ends, it hangs, it says what nobody understands) is an error in one line for whoever asked, and the next ask gets a fresh one.
Not responsible for what is in an answer (``wavewrap_protocol.history_asks``) nor for who may ask (``history_routes``).
"""

import asyncio
import shutil
import tempfile
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from wavewrap_dashboard.settings import HistorySettings
from wavewrap_protocol.errors import WavewrapError
from wavewrap_protocol.history_asks import ASKS, BODY_MAX_BYTES, ServiceAsk, ServiceHead, ServiceStart
from wavewrap_protocol.payload_base import Payload

__all__ = ["HistoryError", "HistoryService"]

IDLE_S = 300.0
"""Choice: a page that is looked at asks now and then; one that is left open holds no memory."""

WAITING_MAX = 24
"""Choice: what a few open pages ask for at once; more is a page gone wild."""

END_S = 3.0
"""Choice: it ends at once when its input does, unless it is at work on something nobody waits for any more."""


class HistoryError(WavewrapError):
    """``kind`` is ``usage`` or ``store`` as the service said it, ``busy``, or ``service`` where the service itself failed."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class HistoryService:
    """One at a time: asks wait for each other, at most :data:`WAITING_MAX` of them."""

    def __init__(self, settings: HistorySettings, idle_s: float = IDLE_S) -> None:
        self._settings = settings
        self._idle_s = idle_s
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._number = 0
        self._process: Process | None = None
        self._folder: Path | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> bool:
        """Whether there is a child just now."""
        return self._process is not None

    async def ask(self, name: str, wanted: Payload) -> bytes:
        """The answer's JSON to ``wanted``, the request of row ``name``. Raises :class:`HistoryError`."""
        if self._waiting >= WAITING_MAX:
            raise HistoryError("busy", f"{WAITING_MAX} requests to the history wait already: try again in a moment")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._ask(name, wanted)
        finally:
            self._waiting -= 1

    def take_file(self, key: str) -> Path | None:
        """The file that an answer named; whoever sends it removes it."""
        if self._folder is None:
            return None
        path = self._folder / key
        return path if path.is_file() else None

    async def close(self) -> None:
        """End the child and wait for it; more than once does no harm."""
        if self._idle is not None:
            self._idle.cancel()
        await self._end()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _ask(self, name: str, wanted: Payload) -> bytes:
        if self._idle is not None:
            self._idle.cancel()
        self._number += 1
        ask = ServiceAsk(id=self._number, ask=name, body=wanted.model_dump(mode="json"))
        wait_s = ASKS[name].wait_s
        try:
            async with asyncio.timeout(wait_s):
                head, body = await self._exchange(ask)
        except TimeoutError as cause:
            await self._end(at_once=True)
            raise HistoryError("service", f"the history did not answer within {wait_s:g} s: try again") from cause
        except (OSError, ValueError, ValidationError) as cause:
            # ValueError: a line over the limit, or nothing that is JSON. The process is at its end, or out of step with us.
            code = await self._end(at_once=True)
            raise HistoryError("service", f"the history's process ended (exit code {code}): its log says why; try again") from cause
        except BaseException:
            # Whoever asked is gone in the middle of an answer: the next one must not get the rest of it.
            await self._end(at_once=True)
            raise
        self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._end_idle)
        if head.error is not None:
            raise HistoryError(head.error.kind, head.error.text)
        return body

    async def _exchange(self, ask: ServiceAsk) -> tuple[ServiceHead, bytes]:
        if self._process is not None and self._process.returncode is not None:
            await self._end()  # it ended while nobody asked
        process = self._process or await self._start()
        if process.stdin is None or process.stdout is None:
            raise OSError("the system gave no pipe")
        process.stdin.write(ask.model_dump_json().encode() + b"\n")
        await process.stdin.drain()
        head = ServiceHead.model_validate_json(await process.stdout.readline())
        body = await process.stdout.readline()
        if head.id != ask.id or not body.endswith(b"\n"):
            raise ValueError("out of step")
        return head, body

    async def _start(self) -> Process:
        self._folder = Path(tempfile.mkdtemp(prefix="wavewrap-history-"))  # for this user alone
        # Its stderr is ours: it says little, and that little belongs in the log.
        self._process = await asyncio.create_subprocess_exec(*self._settings.command, stdin=PIPE, stdout=PIPE, limit=BODY_MAX_BYTES)
        start = ServiceStart(store=self._settings.store.get_secret_value(), gateway=self._settings.gateway, folder=str(self._folder))
        if self._process.stdin is not None:
            self._process.stdin.write(start.model_dump_json().encode() + b"\n")
        return self._process

    def _end_idle(self) -> None:
        ending = asyncio.get_running_loop().create_task(self._end_unless_asked())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end_unless_asked(self) -> None:
        if not self._turn.locked():
            async with self._turn:
                await self._end()

    async def _end(self, *, at_once: bool = False) -> int | None:
        """The exit code; ``None`` where there was no child."""
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        code = None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            if at_once and process.returncode is None:
                # One that has ended by itself a moment ago keeps its own exit code.
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await process.wait()
            code = await _wait_or_kill(process, 0.0 if at_once else END_S)
        if folder is not None:
            # It does so itself, unless it was killed.
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return code


async def _wait_or_kill(process: Process, patience_s: float) -> int:
    try:
        async with asyncio.timeout(patience_s):
            return await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        return await process.wait()
