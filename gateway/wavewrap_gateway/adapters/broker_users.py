"""Who may log in to the gateway's own broker or to its page: one line a user, name and argon2 hash, as amqtt reads it."""

import re
from pathlib import Path

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import SecretStr

from wavewrap_gateway.adapters.private_files import read_text_if_there, refuse_open, replace_file
from wavewrap_protocol.errors import UsageError

__all__ = ["PASSWORD_MIN_CHARACTERS", "read_users", "set_user"]

PASSWORD_MIN_CHARACTERS = 10
"""Choice: whoever guesses it can start a session."""

HASHER = Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""OWASP's smallest argon2id: the broker checks logins in its only thread, also on a small board."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def set_user(path: Path, name: str, password: SecretStr) -> bool:
    """Give ``name`` a password in the file at ``path``, which is made where there is none; whether the user is new.

    Raises :class:`UsageError`.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"user {name!r}: a name has 1 to 64 letters, digits, dots, dashes and underscores: choose another")
    if len(password.get_secret_value()) < PASSWORD_MIN_CHARACTERS:
        raise UsageError(f"user {name!r}: a password has {PASSWORD_MIN_CHARACTERS} characters or more: choose a longer one")
    text = read_text_if_there(path)
    if text is not None:
        refuse_open(path, "the users of the gateway's own broker")
    lines = [line for line in (text or "").splitlines() if line.strip()]
    others = [line for line in lines if line.partition(":")[0] != name]
    hashed = PasswordHash((HASHER,)).hash(password.get_secret_value())
    replace_file(path, "\n".join([*others, f"{name}:{hashed}", ""]))
    return len(others) == len(lines)


def read_users(path: Path) -> dict[str, SecretStr]:
    """The hash of each user. Raises :class:`UsageError` for a file that is not there, open to others, or holds none."""
    refuse_open(path, "the users of the page")
    users: dict[str, SecretStr] = {}
    for number, line in enumerate((read_text_if_there(path) or "").splitlines(), 1):
        name, _, hashed = line.strip().partition(":")
        if not line.strip():
            continue
        if not _NAME.fullmatch(name) or not hashed.startswith("$argon2"):
            raise UsageError(f"{path}:{number}: is no user and argon2 hash: make the file with 'wavewrap broker-user'")
        users[name] = SecretStr(hashed)
    if not users:
        raise UsageError(f"{path}: has no user: add one with 'wavewrap broker-user'")
    return users
