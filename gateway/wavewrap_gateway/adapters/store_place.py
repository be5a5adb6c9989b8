"""Where the history is kept, as the configuration names it: the path of an SQLite file, or ``postgresql://``. Imports no database."""

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from wavewrap_protocol.errors import UsageError

__all__ = ["check_place", "is_server", "mask_place", "sqlite_path"]

SERVER_SCHEME = "postgresql"


def is_server(place: str) -> bool:
    """Whether ``place`` is a PostgreSQL server, not a file."""
    return "://" in place


def check_place(place: str) -> str:
    """``place`` as it is. Raises :class:`UsageError` for an empty one, or a URL of anything else."""
    if not place.strip():
        raise UsageError("the store has no name: give the path of a file, or postgresql://user@host/database")
    if is_server(place):
        scheme = urlsplit(place).scheme
        if scheme != SERVER_SCHEME:
            raise UsageError(f"store {scheme}://...: not one of ours; give the path of an SQLite file, or postgresql://user@host/database")
    return place


def mask_place(place: str) -> str:
    """``place`` without its password."""
    if not is_server(place):
        return place
    parts = urlsplit(place)
    user, at, host = parts.netloc.rpartition("@")
    if ":" in user:
        user = f"{user.partition(':')[0]}:***"
    # A query may name a password, too; what else stands there nobody has to read.
    return urlunsplit((parts.scheme, f"{user}{at}{host}", parts.path, "..." if parts.query else "", ""))


def sqlite_path(place: str) -> Path:
    """The file of a ``place`` that is one."""
    return Path(place).expanduser()
