"""What is kept for the pages, and what is not."""

import json

from hypothesis import given
from hypothesis import strategies as st

from wavewrap_dashboard.feed import BACKLOG_S, EVENTS_MAX, PATHS_MAX, WRAPS_MAX, Feed
from wavewrap_protocol.payloads import LinkCounts, SessionProgress, Side, TargetPath, Telemetry, WrapEvent, WrapState

PERIOD_MS = 20
SAMPLES = 10
BATCH_S = SAMPLES * PERIOD_MS / 1000


def batch(number: int, *, replay: bool = False, wrap: str = "left-leg") -> bytes:
    told = Telemetry(
        gateway="attic",
        wrap=wrap,
        boot_id=7,
        seq=number * SAMPLES,
        tick=number * SAMPLES * PERIOD_MS * 10,
        period_ms=PERIOD_MS,
        replay=replay,
        unix_s=1000.0 + number * BATCH_S,
        pressure_mmhg=[[float(number)] * SAMPLES, [1.23456] * SAMPLES],
    )
    return told.model_dump_json().encode()


def state(session: str | None, begins_s: float = 1000.0) -> bytes:
    progress = None
    if session is not None:
        progress = SessionProgress(program="calf-wave", state=session, elapsed_s=1.0, duration_s=60.0, cycle=1, cycles=2)
    told = WrapState(
        gateway="attic",
        gateway_boot=3,
        seq=1,
        id="left-leg",
        side=Side.LEFT,
        boot_id=7,
        link="ready",
        device_state="running",
        fault=None,
        pressure_mmhg=[1.0, 2.0],
        target_mmhg=None if session is None else [40.0, 0.0],
        target_path=None if session is None else TargetPath(unix_s=begins_s, points=[[0.0, 40.0, 0.0], [2.5, 40.0, 10.0]]),
        battery_pct=80,
        clock=None,
        counts=LinkCounts(**dict.fromkeys(LinkCounts.model_fields, 0)),
        session=progress,
    )
    return told.model_dump_json().encode()


def test_samples_wait_for_the_next_push_and_go_once() -> None:
    feed = Feed()
    assert feed.take_samples() is None
    assert feed.take("left-leg/telemetry", batch(0), 0.0) is None
    feed.take("left-leg/telemetry", batch(1), 0.2)
    pushed = feed.take_samples()
    assert pushed is not None
    assert [one["q"] for one in pushed["b"]] == [0, SAMPLES]
    assert pushed["b"][0]["p"][1][0] == 1.23
    assert feed.take_samples() is None


def test_a_new_page_gets_the_last_minute_and_no_more() -> None:
    feed = Feed()
    count = int(2 * BACKLOG_S / BATCH_S)
    for number in range(count):
        feed.take("left-leg/telemetry", batch(number), number * BATCH_S)
    now_s = count * BATCH_S
    kept = feed.snapshot(now_s)["wraps"]["left-leg"]["batches"]
    assert kept[-1]["q"] == (count - 1) * SAMPLES
    assert abs(len(kept) * BATCH_S - BACKLOG_S) <= 2 * BATCH_S
    assert feed.snapshot(now_s + BACKLOG_S + 1)["wraps"]["left-leg"]["batches"] == []


def test_a_replay_fills_gaps_and_makes_nothing_fresh() -> None:
    feed = Feed()
    feed.take("left-leg/telemetry", batch(5), 10.0)
    feed.take("left-leg/telemetry", batch(4, replay=True), 12.0)
    left = feed.snapshot(12.0)["wraps"]["left-leg"]
    assert left["age_s"] == 2.0
    assert [one["q"] for one in left["batches"]] == [50, 40]


def test_the_whole_session_is_kept_a_point_a_second_from_its_start_on() -> None:
    feed = Feed()
    feed.take("left-leg", state("running"), 0.0)
    for number in range(50):
        feed.take("left-leg/telemetry", batch(number), number * BATCH_S)
    overview = feed.snapshot(10.0)["wraps"]["left-leg"]["overview"]
    assert len(overview) == 10
    assert overview[0][3:] == [40.0, 0.0]  # the targets behind the pressures
    feed.take("left-leg", state("ended"), 11.0)
    feed.take("left-leg", state("running"), 12.0)
    assert feed.snapshot(12.0)["wraps"]["left-leg"]["overview"] == []


def test_a_new_page_gets_the_paths_of_the_targets_and_no_more_than_it_draws() -> None:
    feed = Feed()
    for number in range(2 * PATHS_MAX):
        feed.take("left-leg", state("running", begins_s=1000.0 + number), float(number))
    paths = feed.snapshot(0.0)["wraps"]["left-leg"]["paths"]
    assert len(paths) == PATHS_MAX
    assert paths[-1] == {"unix_s": 1000.0 + 2 * PATHS_MAX - 1, "points": [[0.0, 40.0, 0.0], [2.5, 40.0, 10.0]]}


def test_states_and_events_are_told_at_once_and_kept_bounded() -> None:
    feed = Feed()
    told = feed.take("left-leg", state(None), 0.0)
    assert told is not None
    assert (told["w"], told["part"], told["v"]["link"]) == ("left-leg", "state", "ready")
    for number in range(2 * EVENTS_MAX):
        event = WrapEvent(
            gateway="attic", gateway_boot=3, wrap="left-leg", boot_id=7, seq=number, unix_s=1.0, kind="booted", text="the wrap restarted"
        )
        assert feed.take("left-leg/event", event.model_dump_json().encode(), 0.0) is not None
    kept = feed.snapshot(0.0)["wraps"]["left-leg"]["events"]
    assert [kept[0]["seq"], kept[-1]["seq"]] == [EVENTS_MAX, 2 * EVENTS_MAX - 1]


def test_a_cleared_wrap_is_gone() -> None:
    feed = Feed()
    feed.take("left-leg", state(None), 0.0)
    assert feed.take("left-leg", b"", 1.0) == {"k": "gone", "w": "left-leg"}
    assert feed.snapshot(1.0)["wraps"] == {}
    assert feed.take("left-leg", b"", 1.0) is None


def test_what_lay_on_the_broker_is_not_fresh() -> None:
    feed = Feed()
    told = feed.take("left-leg", state(None), 5.0, retained=True)
    assert told is not None
    assert told["old"] is True
    assert feed.snapshot(5.0)["wraps"]["left-leg"]["state_age_s"] is None
    feed.take("left-leg", state(None), 6.0)
    assert feed.snapshot(7.0)["wraps"]["left-leg"]["state_age_s"] == 1.0
    feed.take("left-leg/telemetry", batch(0), 7.0, retained=True)
    assert feed.snapshot(7.0)["wraps"]["left-leg"]["batches"] == []


def test_a_flood_of_names_fills_no_memory() -> None:
    feed = Feed()
    for number in range(3 * WRAPS_MAX):
        feed.take(f"wrap-{number}/telemetry", batch(0), 0.0)
    assert len(feed.snapshot(0.0)["wraps"]) == WRAPS_MAX
    assert feed.unreadable == 2 * WRAPS_MAX


@given(
    topic=st.sampled_from(["left-leg", "left-leg/telemetry", "left-leg/event", "bridge/state", "bridge/x", "a/b/c", ""]),
    body=st.binary(max_size=80),
)
def test_nothing_that_comes_breaks_it(topic: str, body: bytes) -> None:
    feed = Feed()
    feed.take(topic, body, 0.0)
    json.dumps(feed.snapshot(0.0), allow_nan=False)
