"""The gateway's configuration: one TOML file, overridden by the environment, overridden by the command line.

Environment: ``WAVEWRAP_RADIO``, ``WAVEWRAP_MQTT__URL`` and so on, two underscores between table and key. Every wrong key or value is
refused with the place it came from.
"""

import re
import tomllib
from dataclasses import dataclass
from os import environ
from pathlib import Path
from socket import gethostname
from typing import Annotated, Any, get_args

from platformdirs import user_config_path, user_data_path
from pydantic import BaseModel, ConfigDict, Field, Secret, SecretStr, StringConstraints, ValidationError, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.private_files import refuse_open
from wavewrap_gateway.adapters.store_place import check_place, mask_place
from wavewrap_gateway.app.broker_config import BrokerConfig
from wavewrap_gateway.app.dashboard_config import DashboardConfig
from wavewrap_gateway.core.key_lines import locate_keys
from wavewrap_gateway.core.request_rules import DEFAULT_COMMANDS
from wavewrap_gateway.runtime.message_queues import QueueRules
from wavewrap_gateway.runtime.storage import Bounds
from wavewrap_gateway.runtime.wrap import topic_name
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.limits import CEILING_DEFAULT_MMHG, CEILING_MAX_MMHG
from wavewrap_protocol.payloads import WrapId
from wavewrap_protocol.requests import CommandName
from wavewrap_protocol.toml_files import FILE_MAX_BYTES

__all__ = [
    "CommandsConfig",
    "ConfigValue",
    "DashboardConfig",
    "GatewayConfig",
    "HomeAssistantConfig",
    "JournalConfig",
    "MqttConfig",
    "OutboxConfig",
    "StorePlace",
    "config_path",
    "load_config",
    "show_config",
]

ENV_PREFIX = "WAVEWRAP_"

_TABLES = ("mqtt", "names", "commands", "home_assistant", "outbox", "dashboard", "journal")


class MqttConfig(BrokerConfig):
    """Table ``[mqtt]``. Without ``url`` the gateway starts a broker of its own on loopback."""

    fallbacks: tuple[str, ...] = Field(default=(), description="further brokers of the same cluster, each host or host:port")
    listen: str = Field(default="127.0.0.1", description="address of the gateway's own broker; any but loopback needs users_file")
    users_file: Path | None = Field(default=None, description="who may log in to the gateway's own broker; wavewrap broker-user makes it")
    base_topic: str = "wavewrap"
    patience_s: float = Field(default=10.0, ge=0.0, description="a running session stops when the broker is gone for longer")
    idle_telemetry: bool = Field(default=False, description="whether the daemon publishes samples outside of sessions, too")

    def settings(self) -> MqttSettings | None:
        """The broker to use, ``None`` for the embedded one. Raises :class:`UsageError`."""
        if self.url is None:
            return None
        given = self.model_dump(exclude={"url", "patience_s", "idle_telemetry", "listen", "users_file"}, exclude_none=True)
        return MqttSettings.from_url(self.url.get_secret_value(), **given)

    def settings_of_own(self, url: str, version: str) -> MqttSettings:
        """For the gateway's own broker at ``url``. Raises :class:`UsageError`."""
        given = self.model_dump(include={"username", "password", "password_file", "base_topic"}, exclude_none=True)
        return MqttSettings.from_url(url, version=version, **given)


class CommandsConfig(BaseModel):
    """Table ``[commands]``: what the daemon takes over MQTT. ``stop`` is always taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow: tuple[CommandName, ...] = DEFAULT_COMMANDS


class HomeAssistantConfig(BaseModel):
    """Table ``[home_assistant]``: whether the daemon announces itself and its wraps there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = False
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")] = Field(
        default="homeassistant", description="its discovery prefix"
    )


class JournalConfig(BaseModel):
    """Table ``[journal]``: the recovery journal. What is noted in it stays in the store."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    publish: bool = Field(default=False, description="the daemon says over MQTT that a question is due; never what was answered")


class OutboxConfig(BaseModel):
    """Table ``[outbox]``: where messages wait for the broker, and how much of them. The gateway's own broker needs none and has none."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    enabled: bool = Field(default=True, description="false: messages wait in memory and end with the gateway")
    folder: Path = Field(default_factory=lambda: user_data_path("wavewrap") / "outbox")
    max_rows: int = Field(default=1_000_000, ge=1000, description="half a day of two wraps")
    max_mb: int = Field(default=500, ge=1)
    max_age_h: float = Field(default=168.0, gt=0.0)
    backfill_per_s: float = Field(default=200.0, ge=1.0, description="messages out of the file beside the live ones")
    unheard_s: float = Field(default=300.0, ge=0.0, description="how long telemetry waits for somebody to subscribe to it")

    def bounds(self) -> Bounds:
        """What may wait in the file."""
        return Bounds(self.max_rows, self.max_mb * 1_000_000, self.max_age_h * 3600.0)

    def rules(self) -> QueueRules:
        """What leaves it."""
        return QueueRules(self.backfill_per_s, self.unheard_s)


class StorePlace(Secret[str]):
    """Where the history is kept; shows itself without the password that a URL may hold."""

    def _display(self) -> str:
        return mask_place(self.get_secret_value())


class GatewayConfig(BaseSettings):
    """All of it. ``names`` maps the serial number of a wrap to its name in topics."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    gateway: WrapId = Field(default_factory=lambda: topic_name(gethostname()), description="id of this gateway in every message")
    radio: str = Field(default="platform", description="platform, or bumble:<transport>")
    ceiling_mmhg: float = Field(default=CEILING_DEFAULT_MMHG, gt=0.0, le=CEILING_MAX_MMHG, description="no step asks for more")
    names: dict[str, WrapId] = Field(default_factory=dict)
    known_wraps: Path = Field(
        default_factory=lambda: user_data_path("wavewrap") / "wraps.json", description="the wraps paired with this host; keys lie beside it"
    )
    programs: Path = Field(default_factory=lambda: user_config_path("wavewrap") / "programs", description="your own, for the daemon")
    record: bool = Field(default=True, description="keep every session in the store")
    store: StorePlace = Field(
        default_factory=lambda: StorePlace(str(user_data_path("wavewrap") / "history.sqlite")),
        description="the history: path of an SQLite file, or postgresql://user@host/database",
    )
    mqtt: MqttConfig = MqttConfig()
    commands: CommandsConfig = CommandsConfig()
    home_assistant: HomeAssistantConfig = HomeAssistantConfig()
    dashboard: DashboardConfig = DashboardConfig()
    journal: JournalConfig = JournalConfig()
    outbox: OutboxConfig = Field(default_factory=OutboxConfig)

    def outbox_file(self, broker: MqttSettings) -> Path:
        """The outbox of this gateway for ``broker``: what waits for one must not go to another."""
        host = re.sub(r"[^a-z0-9.-]+", "-", broker.host.lower())
        return self.outbox.folder / f"{self.gateway}@{host}-{broker.port}.sqlite"

    @field_validator("store")
    @classmethod
    def _check_store(cls, value: StorePlace) -> StorePlace:
        try:
            check_place(value.get_secret_value())
        except UsageError as cause:
            raise ValueError(str(cause)) from None
        return value

    @property
    def bumble_keys(self) -> Path:
        """The keys of bonds made through a bumble radio; the system keeps those of its own."""
        return self.known_wraps.with_name("bumble-keys.json")

    @property
    def dashboard_token(self) -> Path:
        """What opens the page of the dashboard, so that its link stays the same from one start to the next."""
        return self.known_wraps.with_name("dashboard-token")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over what :func:`load_config` passes in, which is the file's."""
        return (env_settings, init_settings)


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """One value and where it came from. Secrets are masked."""

    key: str
    value: str
    origin: str


def config_path() -> Path:
    """Where the configuration is looked for when no file is named."""
    return user_config_path("wavewrap") / "config.toml"


def load_config(path: Path | None = None, radio: str | None = None, broker: str | None = None) -> GatewayConfig:
    """The configuration from ``path`` (:func:`config_path` where None, if it exists), the environment, and what the command line gave.

    Raises :class:`UsageError` naming the file and line, or the variable, at fault.
    """
    text, origin = _read(path)
    table = _parse(text, origin)
    if _holds_secret(table):
        refuse_open(Path(origin), "a password")
    in_environment = _environment()
    try:
        config = GatewayConfig(**table)
    except ValidationError as cause:
        raise UsageError(_fault(cause, text, origin, in_environment)) from None
    mqtt = config.mqtt if broker is None else config.mqtt.model_copy(update={"url": SecretStr(broker)})
    return config.model_copy(update={"radio": radio or config.radio, "mqtt": mqtt})


def show_config(path: Path | None = None) -> list[ConfigValue]:
    """Every value in use and where it came from. Raises :class:`UsageError` as :func:`load_config`."""
    config = load_config(path)
    text, origin = _read(path)
    in_file = dict(_flat(_parse(text, origin)))
    lines = _lines(text)
    in_environment = _environment()
    values: list[ConfigValue] = []
    for key, value in _flat(config.model_dump()):
        source = "default"
        if key in in_environment:
            source = f"environment {_variable(key)}"
        elif key in in_file:
            source = f"{origin}:{lines.get(key, 1)}"
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        values.append(ConfigValue(key, shown, source))
    return values


def _read(path: Path | None) -> tuple[str, str]:
    """Text and name of the file; a file that was not named may be missing."""
    chosen = config_path() if path is None else path
    if path is None and not chosen.exists():
        return "", str(chosen)
    try:
        with chosen.open("rb") as file:
            data = file.read(FILE_MAX_BYTES + 1)
        if len(data) > FILE_MAX_BYTES:
            raise UsageError(f"{chosen}: larger than {FILE_MAX_BYTES} bytes, so it is no configuration: give another with --config")
        return data.decode("utf-8"), str(chosen)
    except OSError as cause:
        raise UsageError(f"{chosen}: cannot be read ({cause.strerror}): give another with --config") from cause
    except UnicodeDecodeError as cause:
        raise UsageError(f"{chosen}: byte {cause.start} is not UTF-8: save the file as UTF-8") from cause


def _holds_secret(table: dict[str, Any]) -> bool:
    """Whether a password stands in the file itself, of a broker or of the store."""
    flat = _flat(table)
    brokers = any(
        key.endswith(".password") or (key.endswith(".url") and "@" in str(value))
        for key, value in flat
        if key.startswith(("mqtt.", "dashboard.brokers."))
    )
    store = str(table.get("store", ""))
    return brokers or mask_place(store) != store


def _parse(text: str, origin: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise UsageError(f"{origin}: {cause}: write it as TOML") from cause


def _variable(key: str) -> str:
    # A list of tables is one variable, whose value is JSON.
    key = re.sub(r"^(dashboard\.brokers)\..*", r"\1", key)
    return f"{ENV_PREFIX}{key.upper().replace('.', '__')}"


def _environment() -> dict[str, Any]:
    """What the environment sets, by dotted key. Raises :class:`UsageError` for a variable with our prefix that sets nothing."""
    for name, value in environ.items():
        prefix, key, *inner = (name[: len(ENV_PREFIX)].upper(), *name[len(ENV_PREFIX) :].lower().split("__"))
        if prefix != ENV_PREFIX:
            continue
        if key not in GatewayConfig.model_fields:
            raise UsageError(f"environment {name}: {key}: unknown key; there are {', '.join(sorted(GatewayConfig.model_fields))}")
        if key in _TABLES and not inner and not value.lstrip().startswith("{"):
            raise UsageError(f"environment {name}: {key}: is a table; set its keys one by one as {name}__KEY")
    try:
        return dict(_flat(EnvSettingsSource(GatewayConfig)()))
    except SettingsError as cause:
        raise UsageError(f"environment: {cause}: write a table as one JSON object") from cause


def _fault(cause: ValidationError, text: str, origin: str, in_environment: dict[str, Any]) -> str:
    """The first fault in one line, with its place."""
    detail = cause.errors(include_url=False, include_input=False)[0]
    path = tuple(part for part in detail["loc"] if part != "[key]")
    key = ".".join(str(part) for part in path if not isinstance(part, int))
    place = _place(".".join(map(str, path)), _lines(text), origin, in_environment)
    if detail["type"] == "extra_forbidden":
        return f"{place}: {key}: unknown key; there are {', '.join(_known_keys(path))}"
    return f"{place}: {key}: {detail['msg']}"


def _place(key: str, lines: dict[str, int], origin: str, in_environment: dict[str, Any]) -> str:
    """Where the value of ``key`` comes from; where there is none, that of the table in which it is missing."""
    while key:
        if key in lines and key not in in_environment:
            return f"{origin}:{lines[key]}"
        if any(other == key or other.startswith(f"{key}.") for other in in_environment):
            return f"environment {_variable(key)}"
        key = key.rpartition(".")[0]
    return origin


def _known_keys(path: tuple[str | int, ...]) -> list[str]:
    """Of the table in which ``path`` is a key."""
    table: Any = GatewayConfig
    for part in path[:-1]:
        table = get_args(table)[0] if isinstance(part, int) else table.model_fields[part].annotation
    return sorted(table.model_fields)


def _lines(text: str) -> dict[str, int]:
    """The line of every dotted key."""
    return {".".join(map(str, path)): line for path, line in locate_keys(text).items()}


def _flat(table: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """``table`` with dotted keys, the places in lists of tables among them; an empty table is a value."""
    flat: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, (list, tuple)) and value and all(isinstance(one, dict) for one in value):
            flat += _flat({str(place): one for place, one in enumerate(value)}, f"{prefix}{key}.")
        elif isinstance(value, dict) and value:
            flat += _flat(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", value))
    return flat
