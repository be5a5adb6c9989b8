"""Files of this user's own, replaced as a whole: a reader sees the old text or the new one, never half; and
secrets, which are refused when others could read them."""

import os
from pathlib import Path

from pydantic import SecretStr

from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.toml_files import FILE_MAX_BYTES

__all__ = ["SECRET_MAX_BYTES", "is_open_to_others", "read_secret", "read_text_if_there", "refuse_open", "replace_file"]

SECRET_MAX_BYTES = 1024
"""Choice: MQTT allows 65535 bytes of password, and nobody has one of a thousand; a file larger than this is the wrong file."""


def is_open_to_others(path: Path) -> bool:
    """Whether users who neither own the file nor are in its group may do anything with it; systems without such rights say no."""
    return os.name == "posix" and bool(path.stat().st_mode & 0o007)


def refuse_open(path: Path, what: str) -> None:
    """Raise :class:`UsageError` when others may read or change the file at ``path``, which holds ``what``, or when it is not there."""
    try:
        is_open = is_open_to_others(path)
    except OSError as cause:
        raise UsageError(f"{path}: cannot be read ({cause.strerror}): correct the path, or its rights") from cause
    if is_open:
        raise UsageError(f"{path}: holds {what} and is open to every user here: chmod o-rwx {path}")


def read_secret(path: Path, what: str) -> SecretStr:
    """The first line of a file that only its owner and group may read. Raises :class:`UsageError` for any other, quoting nothing of it."""
    refuse_open(path, what)
    try:
        with path.open("rb") as file:
            data = file.read(SECRET_MAX_BYTES + 1)
    except OSError as cause:
        raise UsageError(f"{path}: cannot be read ({cause.strerror}): correct the path, or its rights") from cause
    if len(data) > SECRET_MAX_BYTES:
        raise UsageError(f"{path}: larger than {SECRET_MAX_BYTES} bytes: give the file that holds {what} and nothing else")
    try:
        text = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8: write {what} as one line of UTF-8") from None
    if not text or "\n" in text or "\0" in text:
        raise UsageError(f"{path}: holds no single line: write {what} as one line")
    return SecretStr(text)


def read_text_if_there(path: Path) -> str | None:
    """The text of ``path``; ``None`` when there is no such file. Raises :class:`UsageError` when it cannot be read."""
    try:
        if path.exists() and path.stat().st_size > FILE_MAX_BYTES:
            raise UsageError(f"{path}: larger than {FILE_MAX_BYTES} bytes, so it is none of ours: move it away")
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
