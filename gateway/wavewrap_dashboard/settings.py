"""What the dashboard is told at its start. Whoever starts it has checked where the brokers are; secrets never show."""

from ipaddress import ip_address
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

__all__ = ["LOOPBACK", "BrokerAddress", "DashboardSettings", "HistorySettings", "TlsFiles"]


LOOPBACK = "127.0.0.1"


class BrokerAddress(BaseModel):
    """An MQTT broker, and under which topics gateways speak there."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    base_topics: tuple[str, ...] = Field(default=("wavewrap",), min_length=1)


class TlsFiles(BaseModel):
    """Certificate with those above it, and its key; PEM."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cert_file: Path
    key_file: Path


class HistorySettings(BaseModel):
    """``command`` starts the history's service (``wavewrap_protocol.history_asks``); ``store`` may hold a password.

    ``gateway`` is whose recovery journal is shown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    command: list[str] = Field(min_length=1)
    store: SecretStr
    gateway: str


class DashboardSettings(BaseModel):
    """``token`` opens the page on loopback, and signs the sessions of a login; ``port`` 0 takes any free one.

    The gateways of all ``brokers`` are numbered through, in that order.

    ``users`` maps a name to its argon2 hash. With them there is a login, and TLS; without them the page is on loopback only.
    Without ``history`` the page has only the live view.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    brokers: tuple[BrokerAddress, ...] = Field(min_length=1)
    token: SecretStr = Field(min_length=16)
    listen: str = LOOPBACK
    port: int = Field(default=0, ge=0, le=65535)
    names: tuple[str, ...] = ()
    tls: TlsFiles | None = None
    users: dict[str, SecretStr] = {}
    check_before_start: bool = True
    history: HistorySettings | None = None

    @model_validator(mode="after")
    def _is_guarded(self) -> "DashboardSettings":
        if bool(self.users) != (self.tls is not None) or (self.tls is None and not ip_address(self.listen).is_loopback):
            raise ValueError(f"a page on {self.listen} needs TLS and users, or neither on loopback: see the table [dashboard]")
        return self
