"""What goes to stderr when the journal reads it: one line an entry, its priority in front (sd-daemon(3)), no time of our own."""

import logging
import os
from collections.abc import Mapping
from typing import TextIO

__all__ = ["JournalFormatter", "is_read_by_journal", "mark"]

_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
"""syslog(3)."""


def is_read_by_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether ``stream`` is the one that systemd connected: JOURNAL_STREAM names its device and inode (systemd.exec(5))."""
    named = environment.get("JOURNAL_STREAM")
    if named is None:
        return False
    try:
        state = os.fstat(stream.fileno())
    except OSError:  # closed, or no file at all
        return False
    return named == f"{state.st_dev}:{state.st_ino}"


def mark(line: str, level: int) -> str:
    """``line`` as an entry of that level."""
    return f"<{_PRIORITIES.get(level, 6)}>{line}"


class JournalFormatter(logging.Formatter):
    """A record as one entry; the lines of a traceback are each an entry of the same priority."""

    def format(self, record: logging.LogRecord) -> str:
        """As :class:`logging.Formatter`."""
        return "\n".join(mark(line, record.levelno) for line in super().format(record).splitlines())
