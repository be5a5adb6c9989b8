"""Whole sessions on simulated wraps, recorded to a real file: what the history gives back is what the gateway knew, sample by sample."""

import asyncio
from pathlib import Path

import pytest
from tests.support.histories import make_head
from tests.support.recorded_sessions import CYCLE_S, WALL_S, Recorded
from tests.support.virtual_sessions import make_short_program, prepare_session
from tests.support.virtual_wraps import run_wraps

from wavewrap_gateway.adapters.store_reader import load_session
from wavewrap_gateway.adapters.store_writer import StoreWriter
from wavewrap_gateway.core.dose import measure_dose
from wavewrap_gateway.core.history import RecordState
from wavewrap_gateway.core.recorded_session import RecordedSession
from wavewrap_gateway.runtime.recording import SessionRecorder
from wavewrap_gateway.runtime.wrap_link import FrameArrived
from wavewrap_protocol.commands import Replay
from wavewrap_protocol.payloads import BridgeEvent
from wavewrap_protocol.reports import Telemetry
from wavewrap_sim.virtual_time import run_virtual


def assert_all_is_kept(played: Recorded, session: RecordedSession) -> None:
    """Every sample that came, every event that was published, and books that say what the gateway's own said."""
    summary = played.summary
    assert summary is not None
    assert (session.head, session.state, session.summary) == (played.head, RecordState(summary.ended.value), summary)
    assert session.unrecorded == 0
    for side, run, told in zip(session.sides, played.runner.runs, summary.wraps, strict=True):
        curves = side.curves
        kept = {
            (epoch, seq): tuple(row)
            for epoch, seq, row in zip(curves.epoch.tolist(), curves.seq.tolist(), curves.pressure_cmmhg.tolist(), strict=True)
        }
        assert kept == played.seen[side.wrap.name]
        assert curves.missing == told.samples.missing
        # Those between the beginning of the record and the arming come on top.
        assert len(curves) >= told.samples.received + told.samples.replayed
        assert [(step.seq, step.actual_tick, step.target_mmhg) for step in side.account.carried_out] == [
            (step.seq, step.actual_tick, step.target_mmhg) for step in run.account.carried_out
        ]
        assert side.account.cycles_and_shortfalls()[0] == told.cycles
        assert side.account.tracking_rms_mmhg() == told.tracking_rms_mmhg
        assert side.account.peaks_mmhg() == pytest.approx(told.peak_mmhg, abs=0.5)
        dose = measure_dose(side.account)
        assert dose[0].reached == told.cycles.delivered
        assert [(one.chamber, one.compressions, one.rise_s) for one in dose] == [
            (one.chamber, one.compressions, one.rise_s) for one in told.dose
        ]
        # The record begins a little before the arming and ends a little after the vent.
        assert [one.over_threshold_s for one in dose] == pytest.approx([one.over_threshold_s for one in told.dose], abs=0.05)
    assert sorted((event.wrap, event.seq, event.kind, event.text) for event in session.events) == sorted(played.events())


def test_all_of_a_session_is_kept(tmp_path: Path) -> None:
    async def work() -> None:
        async with run_wraps(2) as virtual:
            played = Recorded(tmp_path / "history.sqlite", virtual, cycles=2)
            session = await played.play()
            assert_all_is_kept(played, session)
            assert session.ended_unix_s == pytest.approx(WALL_S + asyncio.get_running_loop().time(), abs=0.5)
            first, last = (float(side.curves.unix_s[at]) for side in session.sides[:1] for at in (0, -1))
            assert session.head.started_unix_s - 1.0 < first < last < (session.ended_unix_s or 0.0) + 0.01

    run_virtual(work())


def test_samples_that_come_again_after_a_fade_are_kept_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with run_wraps(2) as virtual:
            played = Recorded(tmp_path / "history.sqlite", virtual, cycles=3)

            async def fade() -> None:
                await asyncio.sleep(8.0)
                await virtual.stations[0].cut_for(2.0)

            fading = asyncio.ensure_future(fade())
            session = await played.play()
            await fading
            assert_all_is_kept(played, session)
            replayed = [int(side.curves.replayed.sum()) for side in session.sides]
            assert replayed[0] > 50
            assert replayed[1] == 0
            assert session.sides[0].curves.missing == 0
            assert "link_lost" in {event.kind for event in session.events}

    run_virtual(work())


def test_what_is_sent_again_of_before_the_session_is_not_of_it(tmp_path: Path) -> None:
    async def work() -> None:
        async with run_wraps(1) as virtual:
            (wrap,) = virtual.wraps
            heard: list[Telemetry] = []
            wrap.listen(lambda _wrap, event: heard.append(event.frame) if isinstance(event, FrameArrived) else None)
            await asyncio.sleep(3.0)
            before = heard[0]
            played = Recorded(tmp_path / "history.sqlite", virtual, cycles=1)

            async def ask_again() -> None:
                await asyncio.sleep(4.0)
                await wrap.link.command(Replay(before.epoch, before.seq, before.seq + 49))

            asking = asyncio.ensure_future(ask_again())
            session = await played.play()
            await asking
            assert sum(len(frame.samples_cmmhg) for frame in heard if frame.replay) == 50
            curves = session.sides[0].curves
            assert (curves.missing, int(curves.replayed.sum())) == (0, 0)
            assert curves.seq[0] > before.seq + 50

    run_virtual(work())


def test_a_session_that_is_stopped_and_one_whose_wrap_restarts(tmp_path: Path) -> None:
    async def work() -> None:
        async with run_wraps(1) as virtual:
            played = Recorded(tmp_path / "history.sqlite", virtual, cycles=2)
            asyncio.get_running_loop().call_later(6.0, played.runner.request_stop, "enough")
            session = await played.play()
            assert (session.state, session.reason) == (RecordState.STOPPED, "enough")
            assert_all_is_kept(played, session)

            played = Recorded(tmp_path / "history.sqlite", virtual, cycles=2)
            asyncio.get_running_loop().call_later(6.0, virtual.stations[0].reboot)
            session = await played.play()
            assert session.state is RecordState.FAULTED
            assert "restarted during the session" in session.reason
            curves = session.sides[0].curves
            kept = set(zip(curves.epoch.tolist(), curves.seq.tolist(), strict=True))
            assert kept == set(played.seen[session.sides[0].wrap.name])
            # Ticks start over with the boot; the curve goes on.
            assert (curves.line_tick[1:] >= curves.line_tick[:-1]).all()

    run_virtual(work())


def test_a_session_that_breaks_off_is_closed_as_such(tmp_path: Path) -> None:
    async def work() -> None:
        async with run_wraps(1) as virtual:
            runner = prepare_session(virtual, make_short_program(), CYCLE_S)
            place, told = str(tmp_path / "history.sqlite"), list[str]()
            writer = StoreWriter(place, "attic", told.append, lambda: WALL_S)
            writer.start()
            recorder = SessionRecorder(writer, make_head(), runner.runs, lambda host_s: host_s + WALL_S)
            recorder.finish(None, 1_000.0)
            recorder.finish(None, 2_000.0)
            recorder.take_event(BridgeEvent(gateway="attic", gateway_boot=1, seq=1, unix_s=1.0, kind="late", text="too late"))
            writer.close()
            session = load_session(place, "last")
            assert (session.state, session.reason) == (RecordState.INTERRUPTED, "the session was broken off")
            assert session.ended_unix_s == WALL_S + 1_000.0
            assert (session.events, told) == ([], [])

    run_virtual(work())
