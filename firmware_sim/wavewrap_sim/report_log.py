"""Numbered reports, the newest kept to be sent again. Numbers are 16 bit and wrap."""

from collections import deque
from collections.abc import Callable

from wavewrap_protocol.reports import Report

__all__ = ["ReportLog"]

_NUMBERS = 1 << 16


class ReportLog:
    """Keeps the newest ``kept`` reports as their bytes."""

    def __init__(self, kept: int) -> None:
        self._kept: deque[bytes] = deque(maxlen=kept)
        self._next = 0

    def add(self, build: Callable[[int], Report]) -> bytes:
        """Number the report that ``build`` makes of its number, keep it; its bytes."""
        data = build(self._next).encode()
        self._kept.append(data)
        self._next = (self._next + 1) % _NUMBERS
        return data

    def since(self, first: int) -> list[bytes] | None:
        """Every kept report from number ``first`` on, oldest first; None when ``first`` lies ahead of the next number."""
        wanted = (self._next - first) % _NUMBERS
        if wanted >= _NUMBERS // 2:
            return None
        reports = list(self._kept)
        return reports[max(0, len(reports) - wanted) :]
