"""The login of a page that is served elsewhere than on loopback: passwords against argon2 hashes, few tries, sessions that end.

A session is a signed cookie: it outlives a restart of the server, and ends with its time or with the password that opened it.
"""

import asyncio
import hashlib
import hmac
from collections import deque
from collections.abc import Callable, Mapping

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

__all__ = ["SESSION_S", "Login", "TooManyError"]

SESSION_S = 12 * 3600.0
"""Choice: a day's use; a lost tablet is no key for longer."""

WINDOW_S = 300.0
TRIES_MAX = 5
"""Wrong passwords from one address within the window. Choice: a person errs less often."""

TRIES_ALL_MAX = 50
"""The same from all addresses: many of them make one guesser."""

PASSWORD_MAX_CHARACTERS = 1024


class TooManyError(Exception):
    """No more tries for ``wait_s``."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many tries: wait {wait_s:.0f} s")
        self.wait_s = wait_s


class Login:
    """``users`` maps names to argon2 hashes; ``clock`` is monotonic, ``now_unix_s`` dates the sessions. ``secret`` signs them."""

    def __init__(self, users: Mapping[str, str], secret: str, clock: Callable[[], float], now_unix_s: Callable[[], float]) -> None:
        self._users = dict(users)
        self._secret = secret.encode()
        self._clock = clock
        self._now_unix_s = now_unix_s
        self._hasher = PasswordHash((Argon2Hasher(),))
        self._failures: deque[tuple[float, str]] = deque(maxlen=4 * TRIES_ALL_MAX)
        self._one_at_a_time = asyncio.Lock()

    async def open_session(self, address: str, name: str, password: str) -> str | None:
        """The cookie of ``name``, ``None`` for a wrong password or name. Raises :class:`TooManyError`."""
        # One at a time: a hash takes megabytes and tenths of a second, which nobody may multiply.
        async with self._one_at_a_time:
            self._count(address)
            # A name that nobody has costs as much as a wrong password, and tells as little.
            hashed = self._users.get(name) or next(iter(self._users.values()))
            right = await asyncio.to_thread(self._verify, password, hashed) and name in self._users
            if not right:
                self._failures.append((self._clock(), address))
                return None
        expires = str(int(self._now_unix_s() + SESSION_S))
        return f"{name}.{expires}.{self._sign(name, expires)}"

    def is_session(self, cookie: str | None) -> bool:
        """Whether ``cookie`` was given out here, has not expired, and its user has still the same password."""
        head, _, signature = (cookie or "").rpartition(".")
        name, _, expires = head.rpartition(".")
        if name not in self._users or not expires.isascii() or not expires.isdigit():
            return False
        fresh = int(expires) > self._now_unix_s()
        return hmac.compare_digest(signature.encode(), self._sign(name, expires).encode()) and fresh

    def _sign(self, name: str, expires: str) -> str:
        return hmac.new(self._secret, f"{name}.{expires}.{self._users[name]}".encode(), hashlib.sha256).hexdigest()

    def _count(self, address: str) -> None:
        now_s = self._clock()
        while self._failures and now_s - self._failures[0][0] > WINDOW_S:
            self._failures.popleft()
        own = [at_s for at_s, whose in self._failures if whose == address]
        if len(own) >= TRIES_MAX:
            raise TooManyError(own[-TRIES_MAX] + WINDOW_S - now_s)
        if len(self._failures) >= TRIES_ALL_MAX:
            raise TooManyError(self._failures[-TRIES_ALL_MAX][0] + WINDOW_S - now_s)

    def _verify(self, password: str, hashed: str) -> bool:
        return len(password) <= PASSWORD_MAX_CHARACTERS and self._hasher.verify(password, hashed)
