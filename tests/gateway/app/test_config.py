"""Configuration: which source wins, what is said about it, and that no secret shows and no mistake passes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.app.config import GatewayConfig, config_path, load_config, show_config
from wavewrap_gateway.cli.config import app
from wavewrap_gateway.runtime.message_queues import QueueRules
from wavewrap_gateway.runtime.storage import Bounds
from wavewrap_protocol.errors import UsageError

SECRETS = ("hush", "geheim")

FULL = """\
# a comment with radio = "usb:9"
gateway = "attic"
radio = "bumble:usb:0"
ceiling_mmhg = 60.5

[names]
"SIM001-01" = "left-calf"

[mqtt]
url = "mqtts://anna:hush@broker.lan:8884"
password = "geheim"
patience_s = 3
"""

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the developer's variables nor their file count."""
    from os import environ

    for name in [name for name in environ if name.upper().startswith("WAVEWRAP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        path = tmp_path / "gateway.toml"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def origins(path: Path | None) -> dict[str, str]:
    return {value.key: value.origin for value in show_config(path)}


def test_without_anything_the_defaults_hold() -> None:
    config = load_config()
    assert (config.radio, config.ceiling_mmhg, config.names) == ("platform", 80.0, {})
    assert config.mqtt.settings() is None
    assert set(origins(None).values()) == {"default"}
    assert "gateway" in origins(None)


def test_the_file_beats_the_default(write: Write) -> None:
    config = load_config(write(FULL))
    assert (config.gateway, config.radio, config.ceiling_mmhg) == ("attic", "bumble:usb:0", 60.5)
    assert config.names == {"SIM001-01": "left-calf"}
    settings = config.mqtt.settings()
    assert settings is not None
    assert (settings.host, settings.port, settings.tls, settings.username) == ("broker.lan", 8884, True, "anna")
    assert settings.password is not None
    assert settings.password.get_secret_value() == "geheim"


def test_the_usual_file_is_found_when_none_is_named() -> None:
    path = config_path()
    path.parent.mkdir(parents=True)
    path.write_text('radio = "bumble:usb:3"\n', encoding="utf-8")
    assert load_config().radio == "bumble:usb:3"
    assert origins(None)["radio"] == f"{path}:1"


def test_the_environment_beats_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVEWRAP_RADIO", "bumble:usb:1")
    monkeypatch.setenv("WAVEWRAP_MQTT__PATIENCE_S", "7")
    config = load_config(write(FULL))
    assert config.radio == "bumble:usb:1"
    assert config.mqtt.patience_s == 7.0
    assert config.gateway == "attic"
    assert config.mqtt.url is not None


def test_the_command_line_beats_the_environment(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVEWRAP_RADIO", "bumble:usb:1")
    monkeypatch.setenv("WAVEWRAP_MQTT__URL", "mqtt://environment")
    config = load_config(write(FULL), radio="platform", broker="mqtt://line:1999")
    assert config.radio == "platform"
    assert config.mqtt.url is not None
    assert config.mqtt.url.get_secret_value() == "mqtt://line:1999"
    assert config.mqtt.patience_s == 3.0


def test_the_outbox_is_on_and_can_be_moved_bounded_and_switched_off(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    plain = load_config()
    assert plain.outbox.enabled
    broker = MqttSettings.from_url("mqtts://[fe80::1]")
    assert plain.outbox_file(broker) == tmp_path / "data" / "wavewrap" / "outbox" / f"{plain.gateway}@fe80-1-8883.sqlite"
    path = write('gateway = "attic"\n[outbox]\nfolder = "elsewhere"\nmax_rows = 2000\nmax_mb = 3\nmax_age_h = 2\nunheard_s = 7\n')
    monkeypatch.setenv("WAVEWRAP_OUTBOX__ENABLED", "false")
    config = load_config(path)
    assert not config.outbox.enabled
    assert config.outbox_file(MqttSettings()) == Path("elsewhere") / "attic@127.0.0.1-1883.sqlite"
    assert config.outbox.bounds() == Bounds(2000, 3_000_000, 7200.0)
    assert config.outbox.rules() == QueueRules(backfill_per_s=200.0, unheard_s=7.0)
    told = origins(path)
    assert told["outbox.max_rows"] == f"{path}:4"
    assert told["outbox.enabled"] == "environment WAVEWRAP_OUTBOX__ENABLED"
    assert told["outbox.backfill_per_s"] == "default"


def test_a_mistake_in_the_outbox_table_is_told_with_its_keys(write: Write) -> None:
    with pytest.raises(
        UsageError, match=r"outbox\.max_row: unknown key; there are backfill_per_s, enabled, folder, max_age_h, max_mb, max_rows"
    ):
        load_config(write("[outbox]\nmax_row = 5\n"))


def test_each_value_tells_its_origin(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVEWRAP_CEILING_MMHG", "55")
    monkeypatch.setenv("WAVEWRAP_MQTT__BASE_TOPIC", "house/one")
    path = write(FULL)
    told = origins(path)
    assert told["gateway"] == f"{path}:2"
    assert told["radio"] == f"{path}:3"
    assert told["ceiling_mmhg"] == "environment WAVEWRAP_CEILING_MMHG"
    assert told["names.SIM001-01"] == f"{path}:7"
    assert told["mqtt.url"] == f"{path}:10"
    assert told["mqtt.base_topic"] == "environment WAVEWRAP_MQTT__BASE_TOPIC"
    assert told["mqtt.ca_file"] == "default"


def test_no_secret_shows_anywhere(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(FULL)
    config = load_config(path)
    shown = [f"{value.key} {value.value} {value.origin}" for value in show_config(path)]
    printed = [CliRunner().invoke(app, ["show", "--config", str(path), *more]).output for more in ([], ["--json"])]
    assert json.loads(printed[1])["values"]["mqtt.password"]["value"] == "**********"
    monkeypatch.setenv("WAVEWRAP_MQTT__PASSWORD", "hush")
    from_environment = [f"{value.key} {value.value}" for value in show_config(path)]
    settings = config.mqtt.settings()
    for text in (repr(config), str(config), repr(settings), *shown, *printed, *from_environment):
        assert not any(secret in text for secret in SECRETS)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        (
            'radio = "platform"\nradoi = "usb:0"\n',
            ":2: radoi: ",
            "unknown key; there are ceiling_mmhg, commands, dashboard, gateway, home_assistant, journal, known_wraps, mqtt, names, outbox, "
            "programs, radio, record, store",
        ),
        ('[mqtt]\n\nurll = "mqtt://geheim"\n', ":3: mqtt.urll: ", "unknown key; there are base_topic, ca_file, cert_file"),
        ("[mqqt]\n", ":1: mqqt: ", "unknown key"),
        ("ceiling_mmhg = 400\n", ":1: ceiling_mmhg: ", "less than or equal to 110"),
        ("ceiling_mmhg = 0\n", ":1: ceiling_mmhg: ", "greater than 0"),
        ('ceiling_mmhg = "much"\n', ":1: ceiling_mmhg: ", "valid number"),
        ('gateway = "Attic!"\n', ":1: gateway: ", "match pattern"),
        ('gateway = "bridge"\n', ":1: gateway: ", "may not be called bridge"),
        ('[names]\nA = "ok"\nB = "not ok"\n', ":3: names.B: ", "match pattern"),
        ("[mqtt]\npatience_s = -1\n", ":2: mqtt.patience_s: ", "greater than or equal to 0"),
        ("radio = 7\n", ":1: radio: ", "valid string"),
        ("mqtt = 7\n", ":1: mqtt: ", "valid"),
    ],
)
def test_a_mistake_in_the_file_names_its_line(write: Write, text: str, place: str, says: str) -> None:
    path = write(text)
    with pytest.raises(UsageError) as raised:
        load_config(path)
    message = str(raised.value)
    assert message.startswith(f"{path}{place}")
    assert says in message
    assert "\n" not in message
    assert "geheim" not in message


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("WAVEWRAP_CEILING_MMHG", "400", "ceiling_mmhg: Input should be less than or equal to 110"),
        ("WAVEWRAP_MQTT__PATIENCE_S", "soon", "mqtt.patience_s: Input should be a valid number"),
        ("WAVEWRAP_GATEWAY", "Attic!", "gateway: String should match pattern"),
        ("WAVEWRAP_MQTT__URLL", "mqtt://geheim", "mqtt.urll: unknown key"),
        ("WAVEWRAP_RADOI", "usb:0", "radoi: unknown key"),
        ("WAVEWRAP_NAMES", "no table", "names: is a table; set its keys one by one as WAVEWRAP_NAMES__KEY"),
        ("WAVEWRAP_MQTT", "geheim", "mqtt: is a table"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError) as raised:
        load_config()
    message = str(raised.value)
    assert message.startswith(f"environment {variable}: {says}")
    assert "\n" not in message
    assert "geheim" not in message


def test_a_table_in_the_environment_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVEWRAP_NAMES", '{"SIM001-01": "left-calf"}')
    assert load_config().names == {"SIM001-01": "left-calf"}
    monkeypatch.setenv("WAVEWRAP_NAMES", '{"geheim')
    with pytest.raises(UsageError, match=r'^environment: error parsing value for field "names" .*: write a table as one JSON object$'):
        load_config()


def test_a_mistake_in_the_environment_is_not_blamed_on_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVEWRAP_CEILING_MMHG", "400")
    with pytest.raises(UsageError, match=r"^environment WAVEWRAP_CEILING_MMHG: "):
        load_config(write(FULL))


def test_a_file_that_is_no_configuration_says_why(write: Write, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gateway\.toml: .*line 2.*: write it as TOML"):
        load_config(write('radio = "platform"\nradio "platform"\n'))
    with pytest.raises(UsageError, match=r"absent\.toml: cannot be read \(No such file or directory\): give another with --config"):
        load_config(tmp_path / "absent.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'gateway = "caf\xe9"\n')
    with pytest.raises(UsageError, match=r"latin\.toml: byte 14 is not UTF-8"):
        load_config(latin)


def test_a_host_called_bridge_can_run_a_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wavewrap_gateway.app.config.gethostname", lambda: "Bridge")
    assert GatewayConfig().gateway == "bridge-1"


def test_what_the_daemon_may_be_asked_is_a_list_of_commands(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sorted(load_config().commands.allow) == ["health", "pause", "programs", "stop"]
    path = write('[commands]\nallow = ["start", "health"]\n')
    assert load_config(path).commands.allow == ("start", "health")
    assert {value.key: value.value for value in show_config(path)}["commands.allow"] == "start, health"
    assert origins(path)["commands.allow"] == f"{path}:2"
    monkeypatch.setenv("WAVEWRAP_COMMANDS__ALLOW", '["boost"]')
    assert load_config(path).commands.allow == ("boost",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[commands]\n\nallow = ["start", "inflate"]\n', ":3: commands.allow: Input should be 'scan'"),
        ("[commands]\nalow = []\n", ":2: commands.alow: unknown key; there are allow"),
        ("[home_assistant]\nenable = true\n", ":2: home_assistant.enable: unknown key; there are enabled, prefix"),
        ('[home_assistant]\nprefix = "a/b"\n', ":2: home_assistant.prefix: String should match"),
    ],
)
def test_a_mistake_in_the_daemons_tables_names_its_line(write: Write, text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_config(write(text))
    assert says in str(caught.value)


def test_the_history_is_a_file_of_this_user_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    config = load_config()
    assert (config.record, config.store.get_secret_value()) == (True, str(tmp_path / "data" / "wavewrap" / "history.sqlite"))
    assert {value.key: value.value for value in show_config()}["store"] == config.store.get_secret_value()


def test_the_password_of_a_store_shows_nowhere(write: Write) -> None:
    path = write('record = false\nstore = "postgresql://anna:hush@clinic.lan:5433/history?sslpassword=geheim"\n')
    config = load_config(path)
    assert config.record is False
    assert config.store.get_secret_value().startswith("postgresql://anna:hush@clinic.lan:5433/history")
    shown = {value.key: value.value for value in show_config(path)}["store"]
    assert shown == "postgresql://anna:***@clinic.lan:5433/history?..."
    printed = CliRunner().invoke(app, ["show", "--config", str(path)]).output
    for text in (repr(config), str(config), shown, printed):
        assert not any(secret in text for secret in SECRETS)


@pytest.mark.parametrize("place", ["mysql://x/y", ""])
def test_a_store_of_another_kind_is_refused_with_its_line(write: Write, place: str) -> None:
    path = write(f'radio = "platform"\nstore = "{place}"\n')
    with pytest.raises(UsageError, match=rf"{path}:2: store: .*give the path of an? (SQLite )?file, or postgresql://user@host/database"):
        load_config(path)


@pytest.mark.parametrize(
    "text",
    [
        '[mqtt]\nurl = "mqtt://h"\nusername = "anna"\npassword = "geheim"\n',
        '[mqtt]\nurl = "mqtt://anna:geheim@h"\n',
        'store = "postgresql://anna:geheim@h/db"\n',
    ],
)
def test_a_file_with_a_password_that_others_can_read_is_refused(text: str, write: Write) -> None:
    path = write(text)
    load_config(path)
    path.chmod(0o644)
    for read in (load_config, show_config):
        with pytest.raises(UsageError, match=r"holds a password and is open to every user here: chmod o-rwx ") as raised:
            read(path)
        assert "geheim" not in str(raised.value)


def test_a_file_without_a_password_may_be_read_by_all(write: Write) -> None:
    path = write('[mqtt]\nurl = "mqtt://h"\nusername = "anna"\npassword_file = "/run/secret"\n')
    path.chmod(0o644)
    settings = load_config(path).mqtt.settings()
    assert settings is not None
    assert settings.password_file == Path("/run/secret")


def test_a_file_that_is_too_large_is_no_configuration(write: Write) -> None:
    with pytest.raises(UsageError, match=r"larger than 1000000 bytes, so it is no configuration"):
        load_config(write("#" * 1_000_001))


def test_fallbacks_come_as_a_list_and_share_login_and_tls(write: Write) -> None:
    config = load_config(write('[mqtt]\nurl = "mqtts://anna:geheim@one"\nfallbacks = ["two", "three:9000", "[::1]:7"]\n'))
    settings = config.mqtt.settings()
    assert settings is not None
    targets = settings.targets()
    assert [(one.host, one.port) for one in targets] == [("one", 8883), ("two", 8883), ("three", 9000), ("::1", 7)]
    assert {(one.username, one.tls, one.fallbacks) for one in targets} == {("anna", True, ())}


@pytest.mark.parametrize("address", ["mqtt://two", "anna:geheim@two", "two:0", "two:70000", "two three", ""])
def test_a_fallback_that_is_no_address_is_refused(address: str, write: Write) -> None:
    with pytest.raises(UsageError, match="fallback"):
        load_config(write(f'[mqtt]\nurl = "mqtt://one"\nfallbacks = ["{address}"]\n')).mqtt.settings()
