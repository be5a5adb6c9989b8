"""Who may open the page and who may ask: the token, the Host and the Origin of every request; and what the browser may do with the page.

A page of any other site can reach a loopback port. Without these checks it could start a session on somebody's legs.
"""

import hmac
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from wavewrap_dashboard.login import Login  # without a login its hashes are not loaded

__all__ = ["HEADERS", "LOOPBACK_NAMES", "Access"]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
HTTPS_PORT = 443
"""A browser leaves it out."""

HEADERS = {
    # uPlot sets styles through the DOM, which this policy lets it do; no inline style or script runs.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), usb=()",
}


class Access:
    """Made once the port is known. With a ``login`` the page is behind TLS, under ``names``; without one its token opens it on loopback."""

    def __init__(self, token: str, port: int, names: Iterable[str] = LOOPBACK_NAMES, login: "Login | None" = None) -> None:
        self._token = token
        self.login = login
        self.scheme = "http" if login is None else "https"
        self._hosts = {f"{name.lower()}:{port}" for name in names}
        if port == HTTPS_PORT:
            self._hosts |= {name.lower() for name in names}
        # The prefix binds the cookie to this very host, and to TLS (RFC 6265bis 4.1.3.2).
        self.cookie = f"wavewrap-{port}" if login is None else f"__Host-wavewrap-{port}"

    def knows_host(self, headers: Mapping[str, str]) -> bool:
        """Whether the request names this server as itself, and not under a name that somebody else's DNS points here."""
        return headers.get("host", "").lower() in self._hosts

    def is_own_page(self, headers: Mapping[str, str]) -> bool:
        """Whether a page that this server gave out is asking; a browser always says where a WebSocket or a POST comes from."""
        origin = headers.get("origin")
        if origin is None:
            return False
        parts = urlsplit(origin)
        return parts.scheme == self.scheme and parts.netloc.lower() == headers.get("host", "").lower() and self.knows_host(headers)

    def lets_in(self, cookie: str | None) -> bool:
        """Whether the page may be opened with ``cookie``."""
        return self.is_token(cookie) if self.login is None else self.login.is_session(cookie)

    def is_token(self, given: str | None) -> bool:
        """In constant time."""
        return given is not None and hmac.compare_digest(given.encode(), self._token.encode())
