"""Where the page may be served: elsewhere than on loopback only behind TLS and a login, and one clear line otherwise."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.certificates import Authority

from wavewrap_gateway.adapters.broker_users import read_users, set_user
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.app.config import load_config, show_config
from wavewrap_gateway.app.dashboard import dashboard_settings
from wavewrap_protocol.errors import UsageError

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(table: str) -> Path:
        path = tmp_path / "gateway.toml"
        path.write_text(f'known_wraps = "{tmp_path}/wraps.json"\n[dashboard]\n{table}\n', encoding="utf-8")
        return path

    return to_file


GUARDED = 'cert_file = "c.pem"\nkey_file = "k.pem"\nusers_file = "users"\n'


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('listen = "0.0.0.0"', "0.0.0.0 is not loopback.*tunnel"),
        ('listen = "192.168.1.7"\ncert_file = "c.pem"\nkey_file = "k.pem"', "192.168.1.7 is not loopback"),
        (f'{GUARDED}listen = "0.0.0.0"', "say in names"),
        (f'{GUARDED}listen = "::"', "say in names"),
        ('cert_file = "c.pem"', "belong together"),
        ('listen = "pi.local"', "is no IP address"),
        (f'{GUARDED}names = ["a b"]', "names"),
        ('base_topics = ["a", "a/b"]', "a/b is named twice or lies below"),
        ('base_topics = ["a", "a"]', "a is named twice"),
        ('base_topics = ["a/#"]', "base_topics"),
        ('[[dashboard.brokers]]\nurl = "mqtt://a"\nbase_topics = ["a", "a/b"]', r":5: dashboard.brokers.base_topics: a/b is named twice"),
        ('[[dashboard.brokers]]\nurl = "mqtt://a"\n[[dashboard.brokers]]\nurl = "http://b"', r":5: dashboard.brokers: .*'http' is unknown"),
        ('[[dashboard.brokers]]\nurl = "mqtt://a"\nca_file = "ca.pem"', r":3: dashboard.brokers: .*need TLS: use an mqtts:// URL"),
        ('[[dashboard.brokers]]\nurl = "mqtt://a"\npassword_file = "p"', r":3: dashboard.brokers: .*give username too"),
        ('[[dashboard.brokers]]\nusername = "anna"', r":3: dashboard.brokers.url: Field required"),
        (
            '[[dashboard.brokers]]\nurl = "mqtt://a"\nbase_topic = "a"',
            r":5: dashboard.brokers.base_topic: unknown key; there are base_topics, ca_file, cert_file, key_file, pass",
        ),
    ],
)
def test_what_would_leave_the_page_open_is_refused_in_one_line(table: str, said: str, write: Write) -> None:
    with pytest.raises(UsageError, match=said) as refusal:
        load_config(write(table))
    assert "\n" not in str(refusal.value)


def test_files_that_others_may_read_or_that_hold_no_user_are_refused(tmp_path: Path, write: Write) -> None:
    cert_file, key_file = Authority(tmp_path).issue("pi.local")
    users_file = tmp_path / "users"
    broker = MqttSettings.from_url("mqtt://127.0.0.1:1883")
    table = f'listen = "127.0.0.1"\ncert_file = "{cert_file}"\nkey_file = "{key_file}"\nusers_file = "{users_file}"'
    config = load_config(write(table))
    with pytest.raises(UsageError, match="users: cannot be read"):
        dashboard_settings(config, broker)
    set_user(users_file, "anna", SecretStr("a-long-password"))
    told = json.loads(dashboard_settings(config, broker))
    assert told["tls"] == {"cert_file": str(cert_file), "key_file": str(key_file)}
    assert told["users"] == {"anna": read_users(users_file)["anna"].get_secret_value()}
    assert [one["base_topics"] for one in told["brokers"]] == [["wavewrap"]]
    key_file.chmod(0o644)
    with pytest.raises(UsageError, match=r"private key.*chmod"):
        dashboard_settings(config, broker)
    key_file.chmod(0o600)
    for text, said in (("anna:plain\n", ":1: is no user and argon2 hash"), ("\n", "has no user")):
        users_file.write_text(text)
        with pytest.raises(UsageError, match=said):
            dashboard_settings(config, broker)


def test_a_page_on_loopback_needs_nothing_and_shows_the_gateways_that_are_named(write: Write) -> None:
    told = json.loads(dashboard_settings(load_config(write('base_topics = ["attic", "gym/a"]')), MqttSettings.from_url("mqtt://127.0.0.1")))
    assert [one["base_topics"] for one in told["brokers"]] == [["attic", "gym/a"]]
    assert not {"tls", "users"} & set(told)


TWO_MORE = """
[[dashboard.brokers]]
url = "mqtts://anna:geheim@clinic.lan"
base_topics = ["gym", "pool"]
[[dashboard.brokers]]
url = "mqtt://[fe80::1]:1999"
username = "anna"
password_file = "{folder}/secret"
"""


def test_further_brokers_come_after_that_of_the_gateway_each_with_its_login(tmp_path: Path, write: Write) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    secret.chmod(0o600)
    path = write(TWO_MORE.format(folder=tmp_path))
    path.chmod(0o600)
    config = load_config(path)
    told = json.loads(dashboard_settings(config, MqttSettings.from_url("mqtt://127.0.0.1")))["brokers"]
    assert [(one["host"], one["port"], one["tls"], one["username"], one["password"], one["base_topics"]) for one in told] == [
        ("127.0.0.1", 1883, False, None, None, ["wavewrap"]),
        ("clinic.lan", 8883, True, "anna", "geheim", ["gym", "pool"]),
        ("fe80::1", 1999, False, "anna", "hush", ["wavewrap"]),
    ]
    # A machine with no gateway of its own shows those of others.
    assert json.loads(dashboard_settings(config, None))["brokers"] == told[1:]
    secret.chmod(0o644)
    with pytest.raises(UsageError, match=r"the broker's password.*chmod"):
        dashboard_settings(config, None)
    path.chmod(0o644)
    with pytest.raises(UsageError, match=r"holds a password.*chmod") as refusal:
        load_config(path)
    assert "geheim" not in str(refusal.value)


def test_further_brokers_are_shown_with_their_origin_and_without_their_secrets(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(TWO_MORE)
    path.chmod(0o600)
    shown = {value.key: (value.value, value.origin) for value in show_config(path)}
    assert shown["dashboard.brokers.0.url"] == ("**********", f"{path}:5")
    assert shown["dashboard.brokers.0.base_topics"] == ("gym, pool", f"{path}:6")
    assert shown["dashboard.brokers.1.base_topics"] == ("wavewrap", "default")
    variable = "WAVEWRAP_DASHBOARD__BROKERS"
    monkeypatch.setenv(variable, '[{"url": "mqtt://anna:geheim@clinic.lan"}]')
    shown = {value.key: (value.value, value.origin) for value in show_config(path)}
    assert shown["dashboard.brokers.0.url"] == ("**********", f"environment {variable}")
    for wrong in ('[{"url": "geheim://"}]', '[{"username": "anna"}]'):
        monkeypatch.setenv(variable, wrong)
        with pytest.raises(UsageError, match=rf"^environment {variable}: dashboard\.brokers") as refusal:
            load_config(write(""))
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("table", "own", "said"),
    [
        (
            '[[dashboard.brokers]]\nurl = "mqtt://Clinic.lan"',
            "mqtt://clinic.lan",
            r"mqtt://clinic\.lan:1883 is named twice.*its base_topics",
        ),
        (
            f'base_topics = {[*"abcdefgh"]}\n[[dashboard.brokers]]\nurl = "mqtt://a"\nbase_topics = {[*"abcdefghi"]}',
            "mqtt://b",
            "17 gateways are more than the 16",
        ),
        ('base_topics = ["gym"]', None, r"base_topics gym are those on the broker of \[mqtt\]"),
    ],
)
def test_what_would_show_a_gateway_twice_or_not_at_all_is_refused_in_one_line(table: str, own: str | None, said: str, write: Write) -> None:
    config = load_config(write(table))
    with pytest.raises(UsageError, match=said) as refusal:
        dashboard_settings(config, None if own is None else MqttSettings.from_url(own))
    assert "\n" not in str(refusal.value)
