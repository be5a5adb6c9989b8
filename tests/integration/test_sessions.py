"""Whole sessions on the real clock: simulator, gateway and broker as processes, watched by clients that share no code with them."""

import asyncio
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.any_broker import run_any_broker
from tests.support.brokers import Collector, Received, find_mosquitto
from tests.support.processes import Ended, run_simulator, start
from tests.support.session_programs import CHAMBERS, PRESSURE_MMHG, SHORT_S, write_short_program

from wavewrap_gateway.adapters.store_reader import load_session
from wavewrap_gateway.core.recorded_session import RecordedSession
from wavewrap_protocol.payloads import TOPICS, EndedHow, SessionSummary, Telemetry, WrapEvent

pytestmark = pytest.mark.realtime

SUMMARY_KEYS = {
    "program", "ended", "reason", "vented", "duration_s", "wraps", "skew_ms", "mqtt", "host_lateness_ms", "slips",
}  # fmt: skip
WRAP_KEYS = {
    "id", "side", "samples", "steps", "timing_ms", "cycles", "target_mmhg", "peak_mmhg", "final_mmhg", "tracking_rms_mmhg", "shortfalls",
    "findings", "dose", "battery_start_pct", "battery_end_pct",
}  # fmt: skip
QUANTILE_KEYS = {"p50", "p99", "max"}


@dataclass(frozen=True)
class Scenes:
    """``demo`` brings everything along and is watched by the line it prints; ``run`` uses a broker and wraps that were there before."""

    demo: Ended
    shown_by_mosquitto_sub: str | None
    table: Ended
    run: Ended
    heard: list[Received]
    kept: list[Received]
    history: RecordedSession
    """Of ``run``."""
    one_of_two_scans: list[dict[str, object]]
    other_scan: list[dict[str, object]]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    """All of them, at the same time."""

    async def play() -> Scenes:
        folder = tmp_path_factory.mktemp("sessions")
        (demo, shown), table, (run, heard, kept, scans) = await asyncio.gather(
            _demo_watched(folder / "demo"), _demo_for_a_person(folder / "table"), _run_on_what_is_there(folder / "run")
        )
        history = await asyncio.to_thread(load_session, str(folder / "run" / "wavewrap" / "history.sqlite"), "last")
        return Scenes(demo, shown, table, run, heard, kept, history, *scans)

    return asyncio.run(play())


async def _demo_watched(folder: Path) -> tuple[Ended, str | None]:
    program = write_short_program(folder)
    async with start(folder, "wavewrap_gateway", "demo", "--program", program, "--for", SHORT_S, "--json") as gateway:
        line = await gateway.wait_for_line("watch it: ")
        with _mosquitto_sub(line.removeprefix("watch it: "), folder / "shown") as shown:
            ended = await gateway.ended()
    return ended, None if shown is None else shown.read_text(encoding="utf-8")


@contextmanager
def _mosquitto_sub(line: str, output: Path) -> Iterator[Path | None]:
    """The line that the gateway tells people to type, typed; None where there is no mosquitto_sub."""
    words = shlex.split(line)
    if find_mosquitto(words[0]) is None:
        yield None
        return
    with output.open("wb") as file:
        client = subprocess.Popen(words, stdout=file, stderr=subprocess.DEVNULL)
    try:
        yield output
    finally:
        client.kill()
        client.wait()


async def _demo_for_a_person(folder: Path) -> Ended:
    program = write_short_program(folder)
    arguments = ("--program", program, "--for", SHORT_S, "--wraps", 1, "--chambers", 3, "--seed", 7)
    async with start(folder, "wavewrap_gateway", "demo", *arguments) as gateway:
        return await gateway.ended()


async def _run_on_what_is_there(folder: Path) -> tuple[Ended, list[Received], list[Received], list[list[dict[str, object]]]]:
    program = write_short_program(folder)
    with run_any_broker(folder) as broker:
        async with run_simulator(folder / "sim") as simulator, Collector(broker.port) as collector:
            scans = await asyncio.gather(*(_scan(folder / f"scan{number}", simulator.radio) for number in (1, 2)))
            arguments = ("run", program, "--for", SHORT_S, "--json", "--radio", simulator.radio, "--broker", broker.url)
            async with start(folder, "wavewrap_gateway", *arguments) as gateway:
                ended = await gateway.ended()
            assert simulator.running.stderr == ""
            async with Collector(broker.port) as latecomer:
                await asyncio.to_thread(latecomer.wait_until, lambda late: len(late.messages) >= len(_RETAINED))
        return ended, collector.messages, latecomer.messages, scans


async def _scan(folder: Path, radio: str) -> list[dict[str, object]]:
    async with start(folder, "wavewrap_gateway", "scan", "--radio", radio, "--for", 1, "--json") as gateway:
        ended = await gateway.ended()
    assert (ended.code, ended.stderr) == (0, "")
    found = ended.summary["wraps"]
    assert isinstance(found, list)
    return found


WRAPS = ("sim001-01", "sim001-02")
_DAEMONS = {"bridge_selection", "bridge_journal"}
"""Rows that only the daemon publishes on."""

_RETAINED = {
    row.path.format(wrap=wrap)
    for name, row in TOPICS.items()
    if row.retained and name not in _DAEMONS
    for wrap in (WRAPS if "{wrap}" in row.path else ("",))
}


def test_nothing_went_wrong_on_the_way(scenes: Scenes) -> None:
    """Not a word on stderr besides progress (a warning or an unfinished task would be one), and no process left."""
    for ended in (scenes.demo, scenes.run):
        assert (ended.code, ended.lines, ended.left_running) == (0, [], [])
    assert (scenes.table.code, scenes.table.left_running) == (0, [])


def test_the_summary_has_the_documented_names(scenes: Scenes) -> None:
    """Issued names: other programs read them."""
    plain, demo = scenes.run.summary, scenes.demo.summary
    assert plain.keys() == SUMMARY_KEYS
    assert demo.keys() == SUMMARY_KEYS | {"true_skew_ms"}
    for summary, keys in ((plain, WRAP_KEYS), (demo, WRAP_KEYS | {"true_timing_ms"})):
        for spread in ("skew_ms", "host_lateness_ms"):
            assert summary[spread].keys() == QUANTILE_KEYS
        assert summary["mqtt"].keys() == {"published", "acknowledged", "dropped", "replaced", "unheard", "waiting"}
        for wrap in summary["wraps"]:
            assert wrap.keys() == keys
            assert wrap["samples"].keys() == {"expected", "received", "replayed", "missing"}
            assert wrap["steps"].keys() == {"planned", "executed", "late"}
            assert 0 < wrap["battery_end_pct"] <= wrap["battery_start_pct"] <= 100
            assert wrap["cycles"].keys() == {"planned", "delivered"}
            assert wrap["timing_ms"].keys() == QUANTILE_KEYS
    assert len(scenes.demo.stdout.splitlines()) == len(scenes.run.stdout.splitlines()) == 1


@pytest.mark.parametrize("which", ["demo", "run"])
def test_the_session_was_delivered(scenes: Scenes, which: str) -> None:
    summary = SessionSummary.model_validate({"demo": scenes.demo, "run": scenes.run}[which].summary)
    assert (summary.ended, summary.vented, summary.slips) == (EndedHow.COMPLETED, True, 0)
    assert summary.duration_s == pytest.approx(SHORT_S, abs=0.3)
    assert [(wrap.id, wrap.side.value) for wrap in summary.wraps] == [("sim001-01", "left"), ("sim001-02", "right")]
    assert summary.mqtt.published == summary.mqtt.acknowledged + summary.mqtt.replaced > 0
    for wrap in summary.wraps:
        assert wrap.samples.missing == 0
        assert wrap.samples.received == wrap.samples.expected > 50 * SHORT_S
        assert (wrap.steps.late, wrap.steps.executed) == (0, wrap.steps.planned)
        assert wrap.cycles.delivered == wrap.cycles.planned == 1
        assert max(wrap.final_mmhg) < 5.0
        assert 0.0 < wrap.timing_ms.max < 50.0
        assert wrap.shortfalls == []
        for chamber, peak_mmhg in enumerate(wrap.peak_mmhg):
            target_mmhg = PRESSURE_MMHG if chamber in CHAMBERS else 0.0
            assert wrap.target_mmhg[chamber] == target_mmhg
            assert abs(peak_mmhg - target_mmhg) <= 3.0


def test_the_true_error_is_under_the_bound_that_was_claimed(scenes: Scenes) -> None:
    summary = SessionSummary.model_validate(scenes.demo.summary)
    assert summary.true_skew_ms is not None
    assert summary.true_skew_ms.max <= summary.skew_ms.max
    for wrap in summary.wraps:
        assert wrap.true_timing_ms is not None
        assert 0.0 < wrap.true_timing_ms.max <= wrap.timing_ms.max


def test_a_person_gets_progress_and_a_table(scenes: Scenes) -> None:
    ended = scenes.table
    assert "short: completed after" in ended.stdout
    assert "every chamber vented" in ended.stdout
    assert "left sim007-01" in ended.stdout
    assert any("running" in line and "left" in line and line.endswith("mmHg") for line in ended.lines)


def test_two_gateways_see_the_same_wraps_at_once(scenes: Scenes) -> None:
    assert [wrap["side"] for wrap in scenes.one_of_two_scans] == ["left", "right"]
    assert scenes.one_of_two_scans == scenes.other_scan


def test_the_line_it_prints_shows_both_wraps(scenes: Scenes) -> None:
    if scenes.shown_by_mosquitto_sub is None:
        pytest.skip("mosquitto_sub is not installed: apt-get install mosquitto-clients")
    topics = {line.split(" ", 1)[0] for line in scenes.shown_by_mosquitto_sub.splitlines()}
    assert {f"wavewrap/{wrap}/telemetry" for wrap in WRAPS} | {"wavewrap/bridge/state", "wavewrap/bridge/info"} <= topics


def _row_of(topic: str) -> str:
    """The name in TOPICS of a topic as received."""
    path = topic.removeprefix("wavewrap/")
    return next(name for name, row in TOPICS.items() if path in {row.path.format(wrap=wrap) for wrap in WRAPS})


def test_every_message_is_of_its_model(scenes: Scenes) -> None:
    for message in scenes.heard:
        TOPICS[_row_of(message.topic)].model.model_validate_json(message.body)
    assert {_row_of(message.topic) for message in scenes.heard} == set(TOPICS) - _DAEMONS
    assert not any(message.retained for message in scenes.heard)


@pytest.mark.parametrize("wrap", WRAPS)
def test_telemetry_and_events_are_gapless(scenes: Scenes, wrap: str) -> None:
    frames = [Telemetry.model_validate_json(m.body) for m in scenes.heard if m.topic == f"wavewrap/{wrap}/telemetry"]
    samples = [frame.seq + index for frame in frames for index in range(len(frame.pressure_mmhg[0]))]
    assert len(samples) > 50 * SHORT_S
    assert samples == list(range(samples[0], samples[0] + len(samples)))
    assert {len(frame.pressure_mmhg) for frame in frames} == {4}
    assert len({frame.boot_id for frame in frames}) == 1
    peak_mmhg = max(max(frame.pressure_mmhg[CHAMBERS[0]]) for frame in frames)
    assert abs(peak_mmhg - PRESSURE_MMHG) <= 3.0
    events = [WrapEvent.model_validate_json(m.body) for m in scenes.heard if m.topic == f"wavewrap/{wrap}/event"]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    states = [event.text.split(" ", 1)[0] for event in events if event.kind == "device_state"]
    assert states == ["armed", "running", "venting", "idle"]


@pytest.mark.parametrize("wrap", WRAPS)
def test_the_history_has_what_a_subscriber_heard_sample_by_sample(scenes: Scenes, wrap: str) -> None:
    frames = [Telemetry.model_validate_json(m.body) for m in scenes.heard if m.topic == f"wavewrap/{wrap}/telemetry"]
    heard = {(frame.seq + at): row for frame in frames for at, row in enumerate(zip(*frame.pressure_mmhg, strict=True))}
    (side,) = (side for side in scenes.history.sides if side.wrap.name == wrap)
    first, last = (int(side.curves.seq[at]) for at in (0, -1))
    kept = {seq: tuple(row) for seq, row in zip(side.curves.seq.tolist(), side.curves.pressure_mmhg.tolist(), strict=True)}
    assert kept == {seq: row for seq, row in heard.items() if first <= seq <= last}
    told = next(one for one in SessionSummary.model_validate(scenes.run.summary).wraps if one.id == wrap)
    assert last - first + 1 == len(kept) >= told.samples.expected
    events = [WrapEvent.model_validate_json(m.body) for m in scenes.heard if m.topic == f"wavewrap/{wrap}/event"]
    recorded = [(event.seq, event.kind, event.text) for event in scenes.history.events if event.wrap == wrap]
    assert recorded == [(event.seq, event.kind, event.text) for event in events if event.seq >= recorded[0][0]][: len(recorded)]
    assert [text.split(" ", 1)[0] for _, kind, text in recorded if kind == "device_state"] == ["armed", "running", "venting", "idle"]
    assert SessionSummary.model_validate(scenes.run.summary) == scenes.history.summary


def test_a_latecomer_gets_what_is_retained(scenes: Scenes) -> None:
    kept = {message.topic.removeprefix("wavewrap/"): message.body for message in scenes.kept}
    assert kept.keys() == _RETAINED
    assert all(message.retained for message in scenes.kept)
    assert kept["bridge/state"] == b'{"state":"offline"}'
    printed = SessionSummary.model_validate(scenes.run.summary)
    for wrap in WRAPS:
        assert kept[f"{wrap}/availability"] == b'{"state":"offline"}'
        published = SessionSummary.model_validate_json(kept[f"{wrap}/session"])
        assert published.gateway_boot is not None
        assert published.model_copy(update={"gateway": None, "gateway_boot": None, "seq": None, "historical": None}) == printed
