"""The stack's files: topics that exist, a broker that mosquitto itself loads, logins that can do their work and no more.

Docker is not needed and was not there: what compose.yaml says is only held against the files and variables that it names.
"""

import json
import os
import re
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
import yaml
from paho.mqtt.enums import CallbackAPIVersion
from tests.support.brokers import Collector, Mosquitto, find_free_port, find_mosquitto, needs_mosquitto
from tests.support.deploy_files import STACK, WRAP, document_topics, flow_topics, matches, telegraf_topics, topics_by_file

FOREIGN = ("homeassistant/", "answers/")
"""Topics of others, and of whoever asks: no message of ours has its place there."""

USERS = ("gateway", "telegraf", "node-red")


@pytest.mark.parametrize("path", topics_by_file(), ids=lambda path: f"{Path(path).parent.name}-{Path(path).name}")
def test_every_topic_in_the_deploy_files_is_in_the_document(path: str) -> None:
    ours = [topic for topic in topics_by_file()[path] if not topic.startswith(FOREIGN)]
    assert ours
    for topic in ours:
        assert any(matches(topic, known) for known in document_topics()), f"{path}: {topic}"


def test_the_comparison_can_fail() -> None:
    for nonsense in ("wavewrap/+/pressure", "wavewrap/bridge", "wavewrap/bridge/request/launch", "wavewrap/left/telemetry/more"):
        known = [topic for topic in document_topics() if matches(nonsense, topic)]
        assert known == [] or nonsense == "wavewrap/bridge", nonsense


class ShippedMosquitto(Mosquitto):
    """With the stack's own configuration; only the port and the folders of its container are others."""

    def __init__(self, folder: Path) -> None:
        port = find_free_port()
        text = (STACK / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
        for theirs, here in (("/run/wavewrap", folder), ("/mosquitto/data", folder)):
            assert theirs in text
            text = text.replace(theirs, str(here))
        text, listeners = re.subn(r"^listener 1883$", "", text, flags=re.MULTILINE)
        assert listeners == 1
        # The test's own first lines say the same of these, or the opposite.
        text = re.sub(r"^(set_tcp_nodelay|max_queued_messages|log_dest) .*$", "", text, flags=re.MULTILINE)
        super().__init__(folder, text.splitlines(), port)

    def stop(self) -> None:
        """As a container is stopped."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(10.0)
        self._process = None


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What ``make_secrets`` makes: passwords by user, and its folder under ``folder``."""
    program = find_mosquitto("mosquitto_passwd")
    if program is None:
        pytest.skip("mosquitto_passwd is not installed: apt-get install mosquitto")
    folder = tmp_path_factory.mktemp("stack")
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(program).parent), os.environ["PATH"]])}
    command = ["sh", str(STACK / "make_secrets")]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    again = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert again.returncode == 1
    assert "secrets/ exists" in again.stderr

    def variable(file: str, name: str) -> str:
        (value,) = re.findall(rf"^{name}=(\w{{48}})$", (folder / "secrets" / file).read_text(), re.MULTILINE)
        return str(value)

    return {
        "folder": str(folder / "secrets"),
        "gateway": (folder / "secrets" / "gateway.password").read_text().strip(),
        "telegraf": variable("telegraf.env", "MQTT_PASSWORD"),
        "node-red": variable("node-red.env", "MQTT_PASSWORD"),
    }


@pytest.fixture(scope="module")
def broker(secrets: dict[str, str]) -> Iterator[ShippedMosquitto]:
    folder = Path(secrets["folder"])
    shutil.copy(STACK / "mosquitto" / "wavewrap.acl", folder / "wavewrap.acl")
    (folder / "wavewrap.acl").chmod(0o400)
    shipped = ShippedMosquitto(folder)
    shipped.start()
    yield shipped
    shipped.kill()


def test_secrets_are_for_their_owner_and_no_two_alike(secrets: dict[str, str]) -> None:
    folder = Path(secrets["folder"])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    assert len({secrets[user] for user in USERS}) == len(USERS)


def test_every_secret_and_file_that_the_compose_file_names_is_there(secrets: dict[str, str]) -> None:
    compose = yaml.safe_load((STACK / "compose.yaml").read_text(encoding="utf-8"))
    assert set(compose["services"]) == {"mosquitto", "telegraf", "timescaledb", "grafana", "node-red"}
    made = Path(secrets["folder"])
    for name, service in compose["services"].items():
        assert re.fullmatch(r"[a-z/-]+:\d[\w.-]+", service["image"]), f"{name}: {service['image']} is not pinned"
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} is open to the network"
        for file in service.get("env_file", []):
            assert (made / Path(file).name).is_file(), f"{name}: make_secrets makes no {file}"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./secrets/"):
                assert (made / Path(source).name).is_file(), source
            elif source.startswith("."):
                assert (STACK / source).exists(), source
                assert volume.endswith(":ro"), f"{name} may write into {source}"
            else:
                assert source in compose["volumes"], source


def test_every_variable_is_given_to_the_service_that_reads_it(secrets: dict[str, str]) -> None:
    made = Path(secrets["folder"])
    reads = {
        "telegraf.env": (STACK / "telegraf" / "telegraf.conf").read_text(),
        "node-red.env": (STACK / "node-red" / "flows.json").read_text() + (STACK / "node-red" / "flows_cred.json").read_text(),
        "timescaledb.env": (STACK / "timescaledb" / "20-users.sh").read_text(),
        "grafana.env": (STACK / "grafana" / "provisioning" / "datasources" / "timescaledb.yaml").read_text(),
    }
    for file, text in reads.items():
        given = {line.partition("=")[0] for line in (made / file).read_text().splitlines()}
        wanted = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", text))
        assert wanted, file
        assert wanted <= given, file


def test_grafana_finds_its_source_and_reads_as_who_may_only_read() -> None:
    provisioning = STACK / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "timescaledb.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "wavewrap.yaml").read_text())["providers"]
    compose = yaml.safe_load((STACK / "compose.yaml").read_text())
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in compose["services"]["grafana"]["volumes"]
    assert "GRANT SELECT ON {{ .table }} TO grafana" in (STACK / "telegraf" / "telegraf.conf").read_text()
    assert source["user"] == "grafana"
    for path in (STACK / "grafana" / "dashboards").glob("*.json"):
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}


def test_telegraf_loses_nothing_that_it_was_given() -> None:
    config = tomllib.loads((STACK / "telegraf" / "telegraf.conf").read_text(encoding="utf-8"))
    inputs = config["inputs"]["mqtt_consumer"]
    assert len({one["client_id"] for one in inputs}) == len(inputs), "two clients of one name throw each other out"
    durable = {one["name_override"]: one for one in inputs if one.get("persistent_session")}
    assert set(durable) == {"wrap_telemetry", "event"}
    assert all(one["qos"] == 1 for one in durable.values())
    unwritten = durable["wrap_telemetry"]["max_undelivered_messages"] * 10 * 8 + durable["event"]["max_undelivered_messages"]
    assert unwritten <= config["agent"]["metric_buffer_limit"]
    assert config["processors"]["starlark"] == [{"script": "/etc/telegraf/rows.star"}]


@needs_mosquitto
def test_each_user_gets_what_it_is_for(broker: ShippedMosquitto, secrets: dict[str, str]) -> None:
    listeners = {user: Collector(broker.port, "#", username=user, password=secrets[user]) for user in ("telegraf", "node-red")}
    for listener in listeners.values():
        listener.__enter__()
    with as_user(broker.port, "gateway", secrets["gateway"]) as gateway:
        for topic in [*document_topics(), "wavewrap/end/event"]:
            gateway.publish(topic, b"{}", 1).wait_for_publish(5.0)
    for user, topics in (("telegraf", telegraf_topics()), ("node-red", flow_topics("mqtt in"))):
        listener = listeners[user]
        assert listener.wait_until(lambda one: any(message.topic == "wavewrap/end/event" for message in one.messages))
        listener.__exit__()
        got = {message.topic for message in listener.messages}
        wanted = {topic for topic in document_topics() if any(matches(topic_filter, topic) for topic_filter in topics)}
        assert wanted <= got, f"{user} is not let to what it reads"
        assert not any("/request/" in topic for topic in got), f"{user} sees passkeys"


@needs_mosquitto
def test_the_button_may_stop_and_nothing_of_the_stack_may_start(broker: ShippedMosquitto, secrets: dict[str, str]) -> None:
    assert flow_topics("mqtt out") == ["wavewrap/bridge/request/stop"]
    with Collector(broker.port, "wavewrap/bridge/request/#", username="gateway", password=secrets["gateway"]) as requests:
        for user in ("telegraf", "node-red"):
            with as_user(broker.port, user, secrets[user]) as client:
                for topic in document_topics():
                    client.publish(topic, user.encode(), 1).wait_for_publish(5.0)
        assert requests.wait_until(lambda one: bool(one.messages))
        time.sleep(0.2)
        assert [(message.topic, message.body) for message in requests.messages] == [("wavewrap/bridge/request/stop", b"node-red")]


@needs_mosquitto
def test_nobody_else_comes_in(broker: ShippedMosquitto, secrets: dict[str, str]) -> None:
    for login in ({}, {"username": "gateway", "password": "guess"}, {"username": "stranger", "password": secrets["gateway"]}):
        client = paho.Client(CallbackAPIVersion.VERSION2)
        codes: list[bool] = []
        client.on_connect = lambda _c, _d, _f, reason, _p, codes=codes: codes.append(reason.is_failure)
        if login:
            client.username_pw_set(**login)
        client.connect("127.0.0.1", broker.port)
        deadline_s = time.monotonic() + 5.0
        while not codes and time.monotonic() < deadline_s:
            client.loop(0.1)
        assert codes == [True]


@needs_mosquitto
def test_what_waits_for_telegraf_outlives_a_restart_of_the_broker(broker: ShippedMosquitto, secrets: dict[str, str]) -> None:
    topic = f"wavewrap/{WRAP}/telemetry"
    with as_user(broker.port, "telegraf", secrets["telegraf"], "telegraf-telemetry") as away:
        away.subscribe(topic, 1)
        time.sleep(0.2)
    with as_user(broker.port, "gateway", secrets["gateway"]) as gateway:
        # Over the default of max_queued_messages and of max_inflight_messages.
        for number in range(1500):
            gateway.publish(topic, str(number).encode(), 1).wait_for_publish(5.0)
    broker.stop()
    broker.start()
    got: list[bytes] = []
    client = make_client("telegraf", secrets["telegraf"], "telegraf-telemetry")
    client.on_message = lambda _client, _data, message: got.append(bytes(message.payload))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    deadline_s = time.monotonic() + 40.0
    while len(got) < 1500 and time.monotonic() < deadline_s:
        time.sleep(0.02)
    client.disconnect()
    client.loop_stop()
    assert got == [str(number).encode() for number in range(1500)]


def make_client(user: str, password: str, client_id: str = "") -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not client_id)
    client.username_pw_set(user, password)
    return client


class as_user:  # noqa: N801  # reads as a phrase
    """A connected client for the length of a ``with``."""

    def __init__(self, port: int, user: str, password: str, client_id: str = "") -> None:
        self._port = port
        self._client = make_client(user, password, client_id)

    def __enter__(self) -> paho.Client:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
