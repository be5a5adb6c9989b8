"""What the dashboard is told at its start. Whoever starts it has checked where the broker is; secrets never show."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

__all__ = ["BrokerAddress", "DashboardSettings", "HistorySettings"]


class BrokerAddress(BaseModel):
    """The MQTT broker, and under which topic the gateway speaks there."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    base_topic: str = "wavewrap"


class HistorySettings(BaseModel):
    """``command`` starts the history's service (``wavewrap_protocol.history_asks``); ``store`` may hold a password.

    ``gateway`` is whose recovery journal is shown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    command: list[str] = Field(min_length=1)
    store: SecretStr
    gateway: str


class DashboardSettings(BaseModel):
    """``token`` opens the page; ``port`` is on loopback, 0 takes any free one. Without ``history`` the page has only the live view."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    broker: BrokerAddress
    token: SecretStr = Field(min_length=16)
    port: int = Field(default=0, ge=0, le=65535)
    check_before_start: bool = True
    history: HistorySettings | None = None
