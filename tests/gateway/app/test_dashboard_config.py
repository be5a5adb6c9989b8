"""Where the page may be served: elsewhere than on loopback only behind TLS and a login, and one clear line otherwise."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.certificates import Authority

from wavewrap_gateway.adapters.broker_users import read_users, set_user
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.app.config import load_config
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
    assert told["broker"]["base_topics"] == ["wavewrap"]
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
    assert told["broker"]["base_topics"] == ["attic", "gym/a"]
    assert not {"tls", "users"} & set(told)
