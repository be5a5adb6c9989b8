"""TOML files at the edge: read, checked by a model, refused in one line that names file, key and remedy."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from wavewrap_protocol.errors import UsageError

__all__ = ["FILE_MAX_BYTES", "load_toml"]

FILE_MAX_BYTES = 1_000_000
"""Choice: the largest file of ours has some ten thousand; what is larger is the wrong file, and is not read into memory."""

T = TypeVar("T")


def load_toml(path: Path, validate: Callable[[dict[str, Any]], T], remedy: str) -> T:
    """What ``validate`` makes of the file at ``path``; ``remedy`` says what to give when it cannot be read. Raises :class:`UsageError`."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_MAX_BYTES + 1)
        if len(data) > FILE_MAX_BYTES:
            raise UsageError(f"{path}: larger than {FILE_MAX_BYTES} bytes: {remedy}")
        return validate(tomllib.loads(data.decode("utf-8")))
    except OSError as cause:
        raise UsageError(f"{path}: cannot be read ({cause.strerror}): {remedy}") from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise UsageError(f"{path}: {cause}: write it as TOML in UTF-8") from cause
    except ValidationError as cause:
        first = cause.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{path}: {key}: {what}" if key else f"{path}: {what}") from cause
