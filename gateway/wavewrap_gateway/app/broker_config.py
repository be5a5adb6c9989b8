"""What every table of the configuration that names a broker has: where it is, and how to log in there."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from wavewrap_gateway.adapters.mqtt_settings import BaseTopic, MqttSettings
from wavewrap_protocol.errors import UsageError

__all__ = ["BaseTopics", "BrokerConfig", "FurtherBroker"]


class BrokerConfig(BaseModel):
    """Address and login."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = Field(default=None, description="file with the password alone, closed to others")
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


def _keep_apart(topics: tuple[str, ...]) -> tuple[str, ...]:
    for at, topic in enumerate(topics):
        others = topics[:at] + topics[at + 1 :]
        if any(topic == other or topic.startswith(f"{other}/") for other in others):
            text = f"{topic} is named twice or lies below another: each message must be of one gateway, give them topics apart"
            raise PydanticCustomError("topics", "{text}", {"text": text})
    return topics


BaseTopics = Annotated[tuple[BaseTopic, ...], AfterValidator(_keep_apart)]
"""Those of several gateways on one broker."""


class FurtherBroker(BrokerConfig):
    """Table ``[[dashboard.brokers]]``: a broker beside that of ``[mqtt]`` whose gateways the page shows, too."""

    url: SecretStr
    base_topics: BaseTopics = Field(default=("wavewrap",), min_length=1, description="the gateways there that the page shows")

    @model_validator(mode="after")
    def _is_address(self) -> "FurtherBroker":
        try:
            self.settings()
        except UsageError as cause:
            raise PydanticCustomError("broker", "{text}", {"text": str(cause)}) from None
        return self

    def settings(self) -> MqttSettings:
        """The broker to use. Raises :class:`UsageError`."""
        given = self.model_dump(exclude={"url", "base_topics"}, exclude_none=True)
        return MqttSettings.from_url(self.url.get_secret_value(), **given)
