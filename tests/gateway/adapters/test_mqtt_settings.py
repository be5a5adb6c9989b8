"""The broker's URL and fields: taken apart rightly, refused in one line, and never showing the password."""

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from tests.support.certificates import Authority

from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_protocol.errors import UsageError


def test_a_url_fills_the_fields() -> None:
    settings = MqttSettings.from_url("mqtts://ann:p%40ss%2Fword@broker.example:9883", base_topic="house/one")
    assert (settings.host, settings.port, settings.tls, settings.username) == ("broker.example", 9883, True, "ann")
    assert settings.password is not None
    assert settings.password.get_secret_value() == "p@ss/word"
    assert settings.safe_url == "mqtts://broker.example:9883"


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("mqtt://h", "h", 1883, False),
        ("mqtts://h/", "h", 8883, True),
        ("h:1999", "h", 1999, False),
        ("mqtt://[::1]:1999", "::1", 1999, False),
    ],
)
def test_ports_and_schemes(url: str, host: str, port: int, tls: bool) -> None:
    settings = MqttSettings.from_url(url)
    assert (settings.host, settings.port, settings.tls) == (host, port, tls)
    assert MqttSettings.from_url(settings.safe_url) == settings


def test_a_field_beside_the_url_wins() -> None:
    settings = MqttSettings.from_url("mqtt://ann:old@h", username="bob", password="new")
    assert settings.username == "bob"
    assert settings.password == SecretStr("new")


@pytest.mark.parametrize(
    ("url", "fields", "says"),
    [
        ("http://h", {}, "scheme 'http' is unknown: use mqtt://"),
        ("mqtt://h:99999", {}, "port is no number from 1 to 65535"),
        ("mqtt://h:0", {}, "port"),
        ("mqtt://", {}, "names no host"),
        ("mqtt://h/topic", {}, "the topic is base_topic"),
        ("mqtt://[h", {}, "cannot be read"),
        ("mqtt://h", {"ca_file": "ca.pem"}, "need TLS"),
        ("mqtts://h", {"cert_file": "c.pem"}, "give both or none"),
        ("mqtt://:word@h", {}, "give username too"),
        ("mqtt://h", {"base_topic": "a/#"}, "base_topic"),
        ("mqtt://h", {"base_topic": "a/"}, "base_topic"),
        ("mqtt://h", {"base_topik": "a"}, "base_topik"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(url: str, fields: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        MqttSettings.from_url(url, **fields)
    assert "\n" not in str(caught.value)


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.sampled_from(["mqtt", "mqtts", "http", ""]))
def test_no_error_and_no_repr_shows_the_password(text: str, scheme: str) -> None:
    password = f"SECRET{text}"
    url = f"{scheme}://ann:{password}@h"
    try:
        shown = repr(MqttSettings.from_url(url))
    except UsageError as error:
        shown = str(error)
    with pytest.raises(ValidationError) as caught:
        MqttSettings.model_validate({"url": url, "nonsense": 1})
    assert "SECRET" not in shown
    assert "SECRET" not in str(caught.value)


def test_files_that_are_missing_or_no_pem_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist: correct the path"):
        MqttSettings.from_url("mqtts://h", ca_file=tmp_path / "ca.pem").tls_context()
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(UsageError, match="cannot be used"):
        MqttSettings.from_url("mqtts://h", ca_file=tmp_path / "ca.pem").tls_context()


def test_the_tls_context_verifies(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert_file, key_file = authority.issue("client")
    context = MqttSettings.from_url("mqtts://h", ca_file=authority.file, cert_file=cert_file, key_file=key_file).tls_context()
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert MqttSettings.from_url("mqtt://h").tls_context() is None
