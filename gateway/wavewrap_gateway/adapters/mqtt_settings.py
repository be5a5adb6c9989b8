"""Where the MQTT broker is and how to log in to it: the user's settings, checked; secrets never show."""

import re
import ssl
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError, model_validator

from wavewrap_gateway.adapters.private_files import read_secret, refuse_open
from wavewrap_protocol.errors import UsageError

__all__ = ["MqttSettings"]

_ADDRESS = r"^(\[[0-9A-Fa-f:.]+\]|[^\s/@:\[\]]+)(:[0-9]{1,5})?$"

_PORTS = {"mqtt": 1883, "mqtts": 8883}  # IANA's registered ports of MQTT and secure MQTT


BaseTopic = Annotated[str, StringConstraints(pattern=r"^[^/+#$\x00][^/+#\x00]*(/[^/+#\x00]+)*$")]
"""Under which a gateway speaks."""


class MqttSettings(BaseModel):
    """A broker. ``url`` (``mqtt://user:password@host:port`` or ``mqtts://…``) may be given in place of the fields it fills;
    a field given beside it wins. Neither ``repr`` nor an error ever shows the password."""

    # Without hide_input_in_errors pydantic quotes the URL, password and all.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: Annotated[str, StringConstraints(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    tls: bool = False
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = Field(default=None, description="file with the password alone, closed to others; read at every connect")
    fallbacks: tuple[Annotated[str, StringConstraints(pattern=_ADDRESS)], ...] = Field(
        default=(), description="further brokers of the same cluster, each host or host:port, with the same login and TLS"
    )
    ca_file: Path | None = Field(default=None, description="CA certificates to trust in place of the system's; needs TLS")
    cert_file: Path | None = Field(default=None, description="our certificate, where the broker asks for one; needs TLS and key_file")
    key_file: Path | None = None
    base_topic: BaseTopic = "wavewrap"
    version: Literal["auto", "5", "3.1.1"] = Field(default="auto", description="auto tries 5 and falls back to 3.1.1")

    @classmethod
    def from_url(cls, url: str, **fields: Any) -> Self:
        """Settings from a URL and further fields. Raises UsageError, in one line."""
        try:
            return cls.model_validate({"url": url, **fields})
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "broker"
            what = first["msg"].removeprefix("Value error, ")
            raise UsageError(f"MQTT {where}: {what}") from None

    @model_validator(mode="before")
    @classmethod
    def _take_url_apart(cls, given: object) -> object:
        if not isinstance(given, dict) or "url" not in given:
            return given
        fields = {key: value for key, value in given.items() if key != "url"}
        url = given["url"]
        return {**_fields_of(url.get_secret_value() if isinstance(url, SecretStr) else str(url)), **fields}

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if not self.tls and (self.ca_file or self.cert_file or self.key_file):
            raise ValueError("ca_file, cert_file and key_file need TLS: use an mqtts:// URL or set tls = true")
        if (self.cert_file is None) is not (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: give both or none")
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file are both given: give one of them")
        if (self.password is not None or self.password_file is not None) and self.username is None:
            raise ValueError("a password without a user name is refused by brokers: give username too")
        for address in self.fallbacks:
            if not 0 < int(address.rpartition(":")[2] if re.search(r":[0-9]+$", address) else 1) <= 65535:
                raise ValueError(f"fallback {address!r}: the port is no number from 1 to 65535: use host or host:port")
        return self

    @property
    def safe_url(self) -> str:
        """The broker's URL without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def targets(self) -> tuple[Self, ...]:
        """This broker and each of its fallbacks, as settings for one broker alone."""
        addresses = [urlsplit(f"//{address}") for address in self.fallbacks]
        others = [{"host": one.hostname, "port": self.port if one.port is None else one.port} for one in addresses]
        return tuple(self.model_copy(update={"fallbacks": (), **other}) for other in ({}, *others))

    def login(self) -> tuple[str, str | None] | None:
        """User and password, None for neither. Raises :class:`UsageError` for a password file that cannot or must not be used."""
        if self.username is None:
            return None
        secret = self.password if self.password_file is None else read_secret(self.password_file, "the broker's password")
        return self.username, None if secret is None else secret.get_secret_value()

    @property
    def has_password(self) -> bool:
        """Whether a password leaves us at a login."""
        return self.password is not None or self.password_file is not None

    def tls_context(self) -> ssl.SSLContext | None:
        """The TLS context, None without TLS. Raises UsageError when a file cannot be read as what it should be."""
        if not self.tls:
            return None
        for path in (self.ca_file, self.cert_file, self.key_file):
            if path is not None and not path.is_file():
                raise UsageError(f"MQTT TLS file {path} does not exist: correct the path")
        if self.key_file is not None:
            refuse_open(self.key_file, "our private key")
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            context.sslsocket_class = _TidySocket
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except OSError as error:  # ssl.SSLError is one
            files = ", ".join(str(path) for path in (self.ca_file, self.cert_file, self.key_file) if path is not None)
            raise UsageError(f"MQTT TLS files {files} cannot be used ({error}): give readable PEM files that fit together") from error
        return context


class _TidySocket(ssl.SSLSocket):
    """Closes itself when the handshake fails; paho would leave that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _fields_of(url: str) -> dict[str, object]:
    try:
        parts = urlsplit(url if "//" in url else f"mqtt://{url}")
    except ValueError:  # its text may quote the password
        raise ValueError("the URL cannot be read: use mqtt://host:port, and %-escapes in user and password") from None
    if parts.scheme not in _PORTS:
        raise ValueError(f"URL scheme {parts.scheme!r} is unknown: use mqtt://host:port or mqtts://host:port")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the URL's port is no number from 1 to 65535: use mqtt://host:port, and %-escapes in user and password") from None
    if not parts.hostname:
        raise ValueError("the URL names no host: use mqtt://host:port")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("the URL has something after the port: use mqtt://host:port (the topic is base_topic)")
    fields: dict[str, object] = {
        "host": parts.hostname,
        "port": _PORTS[parts.scheme] if port is None else port,
        "tls": parts.scheme == "mqtts",
    }
    if parts.username:
        fields["username"] = unquote(parts.username)
    if parts.password is not None:
        fields["password"] = unquote(parts.password)
    return fields
