"""Files of this user's own, replaced as a whole: a reader sees the old text or the new one, never half."""

import os
from pathlib import Path

from wavewrap_protocol.errors import UsageError

__all__ = ["read_text_if_there", "replace_file"]


def read_text_if_there(path: Path) -> str | None:
    """The text of ``path``; ``None`` when there is no such file. Raises :class:`UsageError` when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as cause:
        raise UsageError(f"{path}: cannot be read ({getattr(cause, 'strerror', None) or cause}): repair it, or move it away") from cause


def replace_file(path: Path, text: str) -> None:
    """Write ``text`` to ``path``, readable by its owner only. Raises :class:`UsageError` when that is not possible."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as cause:
        raise UsageError(f"{path}: cannot be written ({cause.strerror}): make its folder writable") from cause
    finally:
        beside.unlink(missing_ok=True)
