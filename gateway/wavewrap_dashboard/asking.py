"""Requests of the pages to the gateway, over MQTT, and the way of each answer back to the page that asked.

An answer is what the gateway said; that none came is said too. Whether pressure moves is told by the pressures alone.
Not responsible for whether the gateway carries it out.
"""

import asyncio
import json
import secrets
from collections.abc import Callable
from typing import Any

from wavewrap_dashboard.hub import Page, encode

__all__ = ["UNASKED_ANSWERS", "Asking"]

TTL_S = 5.0
"""Choice: what was pressed longer ago is not carried out any more; whoever pressed sees no answer and presses again."""

ANSWER_S = {"pair": 140.0, "start": 45.0, "scan": 40.0}
ANSWER_DEFAULT_S = 5.0
"""Longest wait for an answer. A pairing waits for a person, a start for every wrap to be armed."""

PENDING_MAX = 64

UNASKED_ANSWERS = "bridge/response/"


class Asking:
    """``publish`` says whether the broker took it; ``now_unix_s`` is the wall clock that the gateway compares with its own."""

    def __init__(self, publish: Callable[[int, str, bytes], bool], now_unix_s: Callable[[], float]) -> None:
        self._publish = publish
        self._now_unix_s = now_unix_s
        self._pending: dict[str, tuple[Page, int, asyncio.TimerHandle]] = {}

    def ask(self, page: Page, number: int, gateway: int, command: str, body: dict[str, Any]) -> None:
        """Send ``command`` to ``gateway``; its answer goes to ``page`` under ``number``."""
        if len(self._pending) >= PENDING_MAX and command != "stop":
            self._fail(page, number, "busy")
            return
        transaction = secrets.token_hex(8)
        request = {**body, "transaction": transaction, "unix_s": round(self._now_unix_s(), 3), "ttl_s": TTL_S}
        if not self._publish(gateway, f"bridge/request/{command}", json.dumps(request, allow_nan=False).encode()):
            self._fail(page, number, "broker_down")
            return
        wait_s = ANSWER_S.get(command, ANSWER_DEFAULT_S)
        timer = asyncio.get_running_loop().call_later(wait_s, self._expire, transaction)
        self._pending[transaction] = (page, number, timer)

    def take_answer(self, body: bytes) -> None:
        """Something came on a response topic; what nobody here asked for is somebody else's."""
        try:
            answer = json.loads(body)
        except ValueError:
            return
        transaction = answer.get("transaction") if isinstance(answer, dict) else None
        found = self._pending.pop(transaction, None) if isinstance(transaction, str) else None
        if found is not None:
            page, number, timer = found
            timer.cancel()
            page.put_state(encode({"k": "answer", "id": number, "v": answer}))

    def close(self) -> None:
        """Wait for nothing any more."""
        for _, _, timer in self._pending.values():
            timer.cancel()
        self._pending.clear()

    def _expire(self, transaction: str) -> None:
        page, number, _ = self._pending.pop(transaction)
        self._fail(page, number, "no_answer")

    def _fail(self, page: Page, number: int, why: str) -> None:
        page.put_state(encode({"k": "answer", "id": number, "fail": why}))
