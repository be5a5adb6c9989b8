"""TOML files at the edge: read, checked by a model, refused in one line that names file, key and remedy."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from wavewrap_protocol.errors import UsageError

__all__ = ["load_toml"]

T = TypeVar("T")


def load_toml(path: Path, validate: Callable[[dict[str, Any]], T], remedy: str) -> T:
    """What ``validate`` makes of the file at ``path``; ``remedy`` says what to give when it cannot be read. Raises :class:`UsageError`."""
    try:
        return validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as cause:
        raise UsageError(f"{path}: cannot be read ({cause.strerror}): {remedy}") from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise UsageError(f"{path}: {cause}: write it as TOML in UTF-8") from cause
    except ValidationError as cause:
        first = cause.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{path}: {key}: {what}" if key else f"{path}: {what}") from cause
