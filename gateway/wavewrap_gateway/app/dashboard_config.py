"""Table ``[dashboard]`` of the configuration: where the page is served, to whom, and which gateways it shows."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from wavewrap_gateway.app.broker_config import BaseTopics, FurtherBroker

__all__ = ["DashboardConfig"]

HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,253}$")]


class DashboardConfig(BaseModel):
    """The page in the browser: on loopback to whoever has its link, elsewhere only with TLS and a login."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=False, description="run and gateway start it; demo does unless told not to")
    listen: str = Field(default="127.0.0.1", description="an IP address; any but loopback needs cert_file, key_file and users_file")
    port: int = Field(default=8765, ge=0, le=65535, description="0: any free one")
    names: tuple[HostName, ...] = Field(default=(), description="what it is opened by besides its address, such as pi.local")
    cert_file: Path | None = Field(default=None, description="TLS certificate and those above it, PEM")
    key_file: Path | None = None
    users_file: Path | None = Field(default=None, description="who may log in; wavewrap broker-user makes it")
    base_topics: BaseTopics = Field(default=(), description="the gateways on the broker of [mqtt] that the page shows; none: its own")
    brokers: tuple[FurtherBroker, ...] = Field(default=(), description="tables [[dashboard.brokers]]: further ones with gateways")
    check_before_start: bool = Field(default=True, description="the page asks what speaks against a session; off in a lab only")

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            ip_address(value)
        except ValueError:
            raise PydanticCustomError("address", "{text}", {"text": f"{value!r} is no IP address: give one of this machine"}) from None
        return value

    @model_validator(mode="after")
    def _is_guarded(self) -> "DashboardConfig":
        given = [self.cert_file, self.key_file, self.users_file]
        address = ip_address(self.listen)
        text = None
        if not address.is_loopback and None in given:
            text = (
                f"{self.listen} is not loopback, so cert_file, key_file and users_file must all be given (wavewrap broker-user makes the "
                "last): give them, or keep 127.0.0.1 and use a tunnel"
            )
        elif None in given and any(given):
            text = "cert_file, key_file and users_file belong together: give all three, or none"
        elif address.is_unspecified and not self.names:
            text = f"{self.listen} is every address of this machine: say in names what the page is opened by"
        if text is not None:
            raise PydanticCustomError("guard", "{text}", {"text": text})
        return self
