"""What ``run`` and ``demo`` share: play a session with a live view, stop on signals, print the summary, choose the exit code."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from wavewrap_gateway.adapters.service_manager import open_service_manager
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.app.gateway import Gateway, open_gateway
from wavewrap_gateway.cli.journal import is_read_by_journal, mark
from wavewrap_gateway.cli.keys import HELP, Keys, listening
from wavewrap_gateway.cli.live_view import watch
from wavewrap_gateway.runtime.supervision import supervised
from wavewrap_protocol.payloads import EndedHow, SessionProgress, SessionSummary

__all__ = ["SIGNALS", "SignalStop", "exit_code", "play_session", "tell", "tell_both"]

SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
_ENDED = {EndedHow.COMPLETED: "was completed", EndedHow.STOPPED: "was stopped", EndedHow.FAULTED: "failed"}


def tell(line: str, level: int = logging.INFO) -> None:
    """A line of progress, or of what is wrong, on stderr so that stdout stays the result's."""
    print(mark(line, level) if is_read_by_journal(sys.stderr, os.environ) else line, file=sys.stderr, flush=True)


class SignalStop:
    """Ctrl-C and SIGTERM: before a session they cancel, in one they stop and vent."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._act: Callable[[], None] = lambda: None

    def install(self, act: Callable[[], None]) -> None:
        """From now on a signal calls ``act``."""
        self._act = act
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        self.received = self.received or number
        self._act()


def _cancel(task: asyncio.Task[object]) -> None:
    task.cancel()


async def play_session(
    config: GatewayConfig,
    program: str,
    duration_s: float | None,
    wanted: int,
    addresses: Sequence[str],
    rng: Random,
    *,
    live: bool,
    complete: Callable[[Gateway, SessionSummary], SessionSummary] = lambda _gateway, summary: summary,
) -> tuple[SessionSummary | None, int]:
    """Play ``program`` and return its summary (None when stopped before it began) and the exit code. Errors as :func:`open_gateway`."""
    stop = SignalStop()
    task = asyncio.current_task()
    assert task is not None  # we are in one
    stop.install(partial(_cancel, task))
    loop = asyncio.get_running_loop()
    try:
        async with (
            supervised(open_service_manager(os.environ), loop.time) as supervision,
            open_gateway(config, wanted, addresses, rng, tell_both(tell, supervision.say)) as gateway,
        ):
            runner = gateway.prepare_session(program, duration_s)

            def stop_session() -> None:
                supervision.end("venting")
                runner.request_stop(SIGNALS[stop.received] if stop.received else "stopped")

            stop.install(stop_session)
            supervision.begin(lambda: _describe(runner.progress()))
            with listening(Keys(runner, tell)) as has_keys:
                hint = f"Ctrl-C stops and vents; {HELP}" if has_keys else "Ctrl-C stops and vents"
                view = asyncio.create_task(watch(gateway, live=live, hint=hint))
                try:
                    summary = await gateway.play(runner)
                finally:
                    view.cancel()
                    await asyncio.gather(view, return_exceptions=True)
                    supervision.end("closing")
            if gateway.session_id is not None:
                tell(f"history: session {gateway.session_id}, 'wavewrap sessions show' has it")
            summary = complete(gateway, summary)
        code = exit_code(summary, stop.received)
        if code != 0:
            proof = "every chamber vented" if summary.vented else "not proven vented, so take the wraps off"
            level = logging.WARNING if summary.vented else logging.CRITICAL
            tell(f"wavewrap: the session {_ENDED[summary.ended]}, {proof}: {summary.reason}", level)
        return summary, code
    except asyncio.CancelledError:
        if stop.received is None:
            raise
        tell(f"wavewrap: stopped by {SIGNALS[stop.received]} before the session began")
        return None, 128 + stop.received


def tell_both(*listeners: Callable[[str], None]) -> Callable[[str], None]:
    """What tells a line to each of ``listeners``."""

    def tell_all(line: str) -> None:
        for listener in listeners:
            listener(line)

    return tell_all


def _describe(progress: SessionProgress) -> str:
    return f"{progress.program}: {progress.state}, cycle {progress.cycle} of {progress.cycles}"


def exit_code(summary: SessionSummary, received: signal.Signals | None) -> int:
    """0 for a session that ended as planned and vented, the shell's code for one stopped by a signal, 1 otherwise."""
    if not summary.vented:
        return 1
    if summary.ended is EndedHow.COMPLETED:
        return 0
    return 128 + received if received is not None else 1
