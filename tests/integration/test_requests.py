"""Requests to a real daemon through a real broker: every refusal provoked, answers where they are wanted, a stop whatever goes on."""

import json
import signal
import time
from collections.abc import Iterator

import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from tests.support.asking import Asker, expiring
from tests.support.async_fixture import held_open
from tests.support.brokers import Collector, needs_mosquitto
from tests.support.daemon_rig import DaemonRig, open_daemon_rig

from wavewrap_gateway.runtime.request_desk import PENDING_MAX
from wavewrap_protocol.requests import REQUEST_MAX_BYTES, TTL_MAX_S

pytestmark = [pytest.mark.realtime, needs_mosquitto]

ALLOWED = ("scan", "start", "pause", "resume", "boost", "select", "programs", "health")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonRig]:
    with held_open(open_daemon_rig(tmp_path_factory.mktemp("requests"), allow=ALLOWED)) as opened:
        wait_until_ready(opened)
        yield opened


def wait_until_ready(rig: DaemonRig) -> None:
    with Asker(rig.broker.port, name="waiting") as asker:
        deadline_s = time.monotonic() + 30.0
        while any(wrap["link"] != "ready" for wrap in asker.do("health")["wraps"]):
            assert time.monotonic() < deadline_s, rig.daemon.stderr
            time.sleep(0.1)


@pytest.fixture
def asker(rig: DaemonRig, request: pytest.FixtureRequest) -> Iterator[Asker]:
    with Asker(rig.broker.port, name=request.node.name[:40].translate(str.maketrans(" []", "---"))) as opened:
        yield opened


def body(**keys: object) -> bytes:
    return json.dumps(keys).encode()


def assert_nothing_started(asker: Asker) -> None:
    assert asker.do("health")["sessions"] == []


def test_a_retained_start_is_refused_live_and_again_when_it_lies_there(rig: DaemonRig, asker: Asker) -> None:
    text = json.dumps({"transaction": "kept", **expiring(60.0, program="short")}).encode()
    answer = asker.ask_raw("start", text, retain=True, expiry_s=60)
    assert (answer.body["status"], answer.reason, answer.body["data"]) == ("error", "retained", None)
    assert "without retain" in answer.body["error"]
    # A 3.1.1 client sets no expiry, so the broker keeps it for ever.
    with Collector(rig.broker.port, "wavewrap/bridge/request/#") as seen:
        assert seen.wait_until(lambda c: any(message.retained for message in c.messages))
    asker.send("start", b"", retain=True)  # clears it, and is no request
    assert_nothing_started(asker)


def test_what_can_lead_to_pressure_needs_an_expiry(asker: Asker) -> None:
    wanted: dict[str, dict[str, object]] = {
        "start": {"program": "short"},
        "resume": {},
        "boost": {"mmhg": 5},
        "select": {"program": "short"},
    }
    for command, keys in wanted.items():
        answer = asker.ask(command, keys)
        assert (answer.reason, "expiry" in answer.body["error"]) == ("stale", True), command
    assert_nothing_started(asker)


def test_a_stale_request_is_refused(asker: Asker) -> None:
    now_s = time.clock_gettime(time.CLOCK_REALTIME)
    old = asker.ask("start", {"program": "short", "unix_s": now_s - 11.0, "ttl_s": 10.0})
    assert (old.reason, old.body["error"].startswith("start is 11.")) == ("stale", True)
    ahead = asker.ask("start", {"program": "short", "unix_s": now_s + 60.0, "ttl_s": 10.0})
    assert (ahead.reason, "NTP" in ahead.body["error"]) == ("stale", True)
    far = asker.ask("start", {"program": "short"}, expiry_s=int(TTL_MAX_S) + 10)
    assert (far.reason, "at most 60 s" in far.body["error"]) == ("stale", True)
    long = asker.ask_raw("start", body(transaction="long", unix_s=now_s, ttl_s=TTL_MAX_S + 1.0))
    assert long.reason == "malformed"
    half = asker.ask("start", {"program": "short", "ttl_s": 10.0})
    assert (half.reason, "belong together" in half.body["error"]) == ("malformed", True)
    assert_nothing_started(asker)


def test_a_message_that_lay_unread_in_this_process_is_stale(rig: DaemonRig, asker: Asker) -> None:
    """The broker has handed it over in time; the process stood still for longer than it was good for."""
    rig.daemon.send(signal.SIGSTOP)
    try:
        asker.send("start", body(transaction="lay", program="short"), expiry_s=1)
        time.sleep(2.0)
    finally:
        rig.daemon.send(signal.SIGCONT)
    answer = asker.wait(lambda one: one.topic.endswith("/start"))
    assert (answer.reason, "has expired" in answer.body["error"]) == ("stale", True)
    assert_nothing_started(asker)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"now", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[" * 4000, "Invalid JSON"),
        (b"{}", "transaction: Field required"),
        (b'{"transaction":"a","program":"../../etc/passwd"}', "program: String should match"),
        (b'{"transaction":"a","surprise":1}', "surprise: Extra inputs"),
        (b'{"transaction":"a","duration_s":1e999}', "duration_s"),
        (b'{"transaction":"a b"}', "transaction: String should match"),
    ],
)
def test_a_malformed_request_is_refused(asker: Asker, text: bytes, says: str) -> None:
    answer = asker.ask_raw("start", text, expiry_s=10)
    assert answer.reason == "malformed"
    assert answer.body["transaction"] == ("a" if text.startswith(b'{"transaction":"a"') else None)
    assert says in answer.body["error"]


def test_an_oversized_request_is_refused(asker: Asker) -> None:
    answer = asker.ask_raw("start", body(transaction="big", program="x" * REQUEST_MAX_BYTES), expiry_s=10)
    assert (answer.reason, str(REQUEST_MAX_BYTES) in answer.body["error"]) == ("oversized", True)
    assert asker.ask_raw("start", b" " * 60_000, expiry_s=10).reason == "oversized"


def test_a_request_larger_than_a_packet_may_be_is_held_back_by_the_broker(asker: Asker) -> None:
    """So nobody answers it, and nothing is hurt."""
    before = len(asker.answers)
    asker.send("start", b" " * 3_000_000)
    assert asker.ask_raw("health", body(transaction="after-the-big-one")).body["status"] == "ok"
    assert [answer.topic for answer in asker.answers[before:]] == ["wavewrap/bridge/response/health"]


def test_what_is_not_on_the_list_is_refused(asker: Asker) -> None:
    for command, keys in (("forget", {"wrap": "left-leg"}), ("pair", {}), ("rename", {"wrap": "left-leg", "name": "calf"})):
        answer = asker.ask_raw(command, body(transaction=f"no-{command}", **expiring(), **keys))
        assert (answer.reason, "commands.allow" in answer.body["error"]) == ("not_allowed", True)
    assert [wrap["id"] for wrap in asker.do("health")["wraps"]] == ["left-leg", "right-leg"]


def test_an_unknown_command_is_refused_where_its_answer_is_looked_for(asker: Asker) -> None:
    answer = asker.ask_raw("inflate", body(transaction="a"))
    assert (answer.reason, answer.topic) == ("unknown_command", "wavewrap/bridge/response/inflate")


def test_a_repetition_is_answered_again_and_not_carried_out_again(rig: DaemonRig, asker: Asker) -> None:
    text = json.dumps({"transaction": "twice", **expiring(program="short", duration_s=9)}).encode()
    with Collector(rig.broker.port, "wavewrap/bridge/event") as events:
        for _ in range(3):  # the second and third while the first one arms
            asker.send("start", text)
        asker.wait(lambda _: sum(one.body["transaction"] == "twice" for one in asker.answers) == 3)
        first, *others = [one.body for one in asker.answers if one.body["transaction"] == "twice"]
        assert (first["status"], first["data"]["wraps"]) == ("ok", ["left-leg", "right-leg"])
        assert others == [first, first]
        asker.do("pause")
        assert asker.ask_raw("start", text).body == first, "also when it has long been carried out"
        other = asker.ask("start", expiring(program="long-hold"), transaction="twice")
        assert (other.reason, "its own" in other.body["error"]) == ("duplicate", True)
        assert asker.ask("stop").body["data"]["stopping"] == ["left-leg", "right-leg"]
        assert events.wait_until(lambda c: any(b'"session_ended"' in message.body for message in c.messages))
        assert sum(b'"session_started"' in message.body for message in events.messages) == 1
        assert any(b"stopped: an MQTT request" in message.body for message in events.messages)


def test_the_answer_goes_where_mqtt_5_says_with_its_correlation(asker: Asker) -> None:
    wanted = body(transaction="to-me", **expiring(program="short"))
    answer = asker.ask_raw("select", wanted, response_topic="answers/me", correlation=b"\x00\x01")
    assert (answer.topic, answer.correlation, answer.body["status"], answer.retained) == ("answers/me", b"\x00\x01", "ok", False)
    again = asker.ask_raw("select", wanted, correlation=b"other")
    assert (again.topic, again.correlation, again.body) == ("wavewrap/bridge/response/select", b"other", answer.body)


@pytest.mark.parametrize("topic", ["wavewrap/bridge/request/start", "wavewrap", "wavewrap/left-leg", "homeassistant/device/x/config"])
def test_an_answer_can_not_be_sent_where_it_would_be_taken_for_something_else(asker: Asker, topic: str) -> None:
    since = len(asker.answers)
    asker.send("health", body(transaction="astray"), response_topic=topic, correlation=b"c")
    answer = asker.wait(lambda one: one.reason == "bad_response_topic", since)
    assert (answer.topic, answer.correlation) == ("wavewrap/bridge/response/health", b"c")


def test_an_old_client_is_served_too(rig: DaemonRig) -> None:
    with Asker(rig.broker.port, MQTTProtocolVersion.MQTTv311, name="old") as asker:
        names = [one["name"] for one in asker.do("programs")["programs"]]
        assert {"recovery", "calf-wave", "short", "long-hold"} <= set(names)
        assert asker.do("select", program="short", duration_min=3) == {"program": "short", "duration_min": 3.0}
        assert asker.ask("start", expiring(program="nothing-like-it")).body["error"].startswith("no program is called 'nothing-like-it'")


def test_stop_is_answered_before_all_that_it_finds_waiting_and_too_much_is_refused(asker: Asker) -> None:
    for number in range(PENDING_MAX + 4):
        asker.send("scan", body(transaction=f"scan-{number}", for_s=0.2), wait=False)
    stop = asker.ask("stop")
    assert stop.body["status"] == "ok"
    asker.wait(lambda _: len(asker.answers) == PENDING_MAX + 5)
    carried_out = [one for one in asker.answers if one.topic.endswith("/scan") and one.body["status"] == "ok"]
    refused = [one for one in asker.answers if one.topic.endswith("/scan") and one.body["status"] == "error"]
    assert len(carried_out) >= PENDING_MAX
    assert len(carried_out) + len(refused) == PENDING_MAX + 4
    assert {one.reason for one in refused} == {"busy"}
    assert sum(one.at_s > stop.at_s for one in carried_out) >= PENDING_MAX // 2
    heard = carried_out[0].body["data"]["wraps"]
    assert heard == [], "a wrap that is linked does not advertise"


@pytest.mark.parametrize(
    "text", [b"", b"STOP", b'{"transaction":"x","wrap":"nobody"}', b'{"wrap":"left-leg","unix_s":1,"ttl_s":1}', b"x" * 9000]
)
@pytest.mark.parametrize("retain", [False, True])
def test_a_stop_is_carried_out_however_it_is_written(asker: Asker, text: bytes, retain: bool) -> None:
    answer = asker.ask_raw("stop", text, retain=retain)
    stopping = answer.body["data"]["stopping"]
    assert stopping == (["left-leg"] if b"left-leg" in text and not retain else ["left-leg", "right-leg"])
    wrong = retain or text[:1] in (b"S", b"x")
    assert (answer.body["status"], "all the same" in (answer.body["error"] or "")) == (("error", True) if wrong else ("ok", False))
    if retain:
        asker.send("stop", b"", retain=True)


def test_a_burst_is_answered_to_the_last_one_and_the_stop_in_it_first(rig: DaemonRig, asker: Asker) -> None:
    """More at once than mosquitto takes unacknowledged, for which it would end the connection."""
    count = 300
    for number in range(count):
        asker.send("inflate", body(transaction=f"burst-{number}"), wait=False)
        if number == count // 2:
            asker.send("stop", body(transaction="within"), wait=False)
    asker.wait(lambda _: len(asker.answers) == count + 1)
    answered = [one.body["transaction"] for one in asker.answers]
    assert sorted(answered) == sorted([*(f"burst-{number}" for number in range(count)), "within"])
    assert answered.index("within") <= count // 2 + 1
    assert "wait for the broker" not in rig.daemon.stderr


def test_a_session_is_steered_and_each_answer_says_what_is(asker: Asker) -> None:
    assert asker.ask("pause").body["error"] == "0 sessions run: start one first"
    started = asker.do("start", program="short", wraps=["right-leg"], duration_s=9)
    assert (started["wraps"], started["progress"]["state"]) == (["right-leg"], "running")
    busy = asker.ask("start", expiring(program="short", wraps=["SIM001-02", "left-leg"]))
    assert busy.body["error"].startswith("right-leg plays short: stop that first")
    assert asker.ask("scan").reason == "busy"
    assert asker.do("pause", wrap="right-leg")["progress"]["state"] == "paused"
    assert asker.ask("pause").body["error"].startswith("pause: the session is paused")
    assert asker.do("resume")["progress"]["state"] == "running"
    assert asker.ask("boost", expiring(mmhg=30)).reason == "malformed", "no further than the gateway's own limit"
    assert asker.do("boost", mmhg=-5, chamber=1)["progress"]["program"] == "short"
    assert asker.ask("boost", expiring(mmhg=-5, chamber=8)).body["error"].startswith("boost: chamber 8 of 4")
    other = asker.do("start", program="short", wraps=["left-leg"], duration_s=9)
    assert other["wraps"] == ["left-leg"]
    assert asker.ask("pause").body["error"] == "2 sessions run: name a wrap of one"
    assert asker.ask("stop", {"wrap": "right-leg"}).body["data"]["stopping"] == ["right-leg"]
    wait_for_sessions(asker, [["left-leg"]])
    asker.ask("stop")
    wait_for_sessions(asker, [])


def wait_for_sessions(asker: Asker, wraps: list[list[str]]) -> None:
    deadline_s = time.monotonic() + 20.0
    while [one["wraps"] for one in asker.do("health")["sessions"]] != wraps:
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
