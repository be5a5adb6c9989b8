"""A gateway is gone in the middle of a session; the next run of it completes the record. Virtual time, the whole radio, real files."""

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

from tests.support.recorded_sessions import CYCLE_S, WALL_S
from tests.support.virtual_sessions import make_short_program, prepare_session
from tests.support.virtual_wraps import VirtualWraps, on_the_air, open_gateway_radio

from wavewrap_gateway.adapters.store_reader import load_session
from wavewrap_gateway.adapters.store_writer import StoreWriter
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.app.history import describe_session
from wavewrap_gateway.core.history import RecordState
from wavewrap_gateway.core.late_samples import AFTERMATH_S, Unfinished
from wavewrap_gateway.core.sample_chunks import pack_samples, unpack_samples
from wavewrap_gateway.runtime.late_samples import LateSamples
from wavewrap_gateway.runtime.recall import Recall
from wavewrap_gateway.runtime.recording import SessionRecorder
from wavewrap_gateway.runtime.roster import find_wraps, linked
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_link import FrameArrived, LinkEvent
from wavewrap_protocol.limits import SAMPLE_PERIOD_MS, VENTED_MMHG
from wavewrap_sim.virtual_time import run_virtual

NO_PROCESS = 2**22 + 1
"""Over the highest number that Linux gives to a process."""

LOST_WITH_IT_S = 1
CHAMBERS = 4


def wall_s(host_s: float) -> float:
    return host_s + WALL_S


class Life:
    """One run of a gateway on the wraps ``virtual`` with the history ``place``."""

    def __init__(self, virtual: VirtualWraps, place: Path) -> None:
        self.virtual = virtual
        loop = asyncio.get_running_loop()
        self.told: list[str] = []
        self.writer = StoreWriter(
            str(place),
            "attic",
            self.told.append,
            lambda: wall_s(loop.time()),
            self._expect,
        )
        self.late = LateSamples(self.writer, wall_s)
        self._loop = loop
        self._told_what_is_unfinished = threading.Event()
        self.writer.start()

    def _expect(self, unfinished: Sequence[Unfinished]) -> None:
        self._told_what_is_unfinished.set()
        self._loop.call_soon_threadsafe(self.late.expect, unfinished)

    def record(self) -> tuple[SessionRecorder, "asyncio.Task[object]"]:
        """Play a session, recorded by a process that does not exist."""
        loop = asyncio.get_running_loop()
        runner = prepare_session(self.virtual, make_short_program(), 3 * CYCLE_S)
        head = describe_session(GatewayConfig(gateway="attic"), make_short_program(), 1, runner, wall_s(loop.time()))
        recorder = SessionRecorder(self.late, replace(head, pid=NO_PROCESS), runner.runs, wall_s)
        return recorder, asyncio.create_task(runner.run())

    def close(self) -> None:
        # Blocks the loop: while it waits for a thread, virtual time would run on.
        self.writer.close()
        assert self.told == []

    def wait_for_the_file(self) -> None:
        """Blocks, as :meth:`close` does."""
        assert self._told_what_is_unfinished.wait(30.0)


def forget_the_last_seconds(place: Path, seconds: int) -> None:
    """What a SIGKILL leaves out: samples that were not committed yet."""
    with closing(sqlite3.connect(place)) as connection, connection:
        newest = connection.execute("SELECT max(first_seq + count) FROM samples").fetchone()[0]
        end = newest - seconds * 1000 // SAMPLE_PERIOD_MS
        connection.execute("DELETE FROM samples WHERE first_seq >= ?", (end,))
        chunk, first, count, data = connection.execute("SELECT chunk, first_seq, count, data FROM samples ORDER BY chunk DESC").fetchone()
        if first + count > end:
            kept = unpack_samples(data, count, CHAMBERS)[: end - first]
            connection.execute("UPDATE samples SET count = ?, data = ? WHERE chunk = ?", (len(kept), pack_samples(kept), chunk))


def test_the_next_run_completes_the_record_until_the_vent(tmp_path: Path) -> None:
    place = tmp_path / "history.sqlite"
    taken: dict[int, tuple[int, ...]] = {}

    def note(_wrap: Wrap, event: LinkEvent) -> None:
        if isinstance(event, FrameArrived):
            taken.update(enumerate(event.frame.samples_cmmhg, event.frame.seq))

    async def work() -> None:
        loop = asyncio.get_running_loop()
        async with on_the_air(1) as (air, stations):
            async with open_gateway_radio(air) as gateway:
                (sighting,) = await find_wraps(gateway.radio, 1)
                wrap = Wrap(gateway.radio, sighting, loop.time, Random(1))
                wrap.listen(note)
                async with linked([wrap]):
                    life = Life(VirtualWraps(air, stations, gateway, [wrap]), place)
                    await asyncio.sleep(5.0)
                    _, playing = life.record()
                    await asyncio.sleep(13.0)  # the second cycle holds its pressure
                    assert max(stations[0].wrap.pressure_mmhg) > 30.0
                    life.close()
                    playing.cancel()
                    stations[0].cut()
                    await asyncio.gather(playing, return_exceptions=True)
            forget_the_last_seconds(place, LOST_WITH_IT_S)
            before = load_session(str(place), "last").sides[0].curves
            assert before.pressure_mmhg[-1].max() > VENTED_MMHG
            stations[0].restore()
            async with open_gateway_radio(air) as gateway:
                (sighting,) = await find_wraps(gateway.radio, 1)
                wrap = Wrap(gateway.radio, sighting, loop.time, Random(2))
                wrap.listen(note)
                async with linked([wrap]):
                    life = Life(VirtualWraps(air, stations, gateway, [wrap]), place)
                    life.wait_for_the_file()
                    recalling = asyncio.create_task(Recall(lambda: [wrap], {}, life.late).run())
                    await asyncio.sleep(2.0 * AFTERMATH_S)
                    recalling.cancel()
                    await asyncio.gather(recalling, return_exceptions=True)
                    assert life.late.gaps(wrap) == []
                    life.close()
            session = load_session(str(place), "last")
            curves = session.sides[0].curves
            assert session.state is RecordState.INTERRUPTED
            assert session.ended_unix_s is not None
            assert curves.missing == 0
            assert len(curves) > len(before) + (AFTERMATH_S - 0.5) * 1000 / SAMPLE_PERIOD_MS
            assert float(curves.unix_s[-1]) < session.ended_unix_s + AFTERMATH_S + 0.2
            assert curves.pressure_mmhg[-1].max() < VENTED_MMHG
            kept = dict(zip(curves.seq.tolist(), map(tuple, curves.pressure_cmmhg.tolist()), strict=True))
            assert kept == {number: taken[number] for number in kept}
            assert (curves.tick[1:] - curves.tick[:-1] == SAMPLE_PERIOD_MS * 10).all()

    run_virtual(work())


def test_what_a_fade_at_the_end_kept_back_is_added_when_the_wrap_is_there_again(tmp_path: Path) -> None:
    place = tmp_path / "history.sqlite"

    async def work() -> None:
        loop = asyncio.get_running_loop()
        async with on_the_air(1) as (air, stations), open_gateway_radio(air) as gateway:
            (sighting,) = await find_wraps(gateway.radio, 1)
            wrap = Wrap(gateway.radio, sighting, loop.time, Random(1))
            async with linked([wrap]):
                life = Life(VirtualWraps(air, stations, gateway, [wrap]), place)
                recalling = asyncio.create_task(Recall(lambda: [wrap], {}, life.late).run())
                await asyncio.sleep(3.0)
                recorder, playing = life.record()
                await asyncio.sleep(13.0)
                stations[0].cut()
                await asyncio.wait([playing])  # the link is lost for longer than the lease
                recorder.finish(None, loop.time())
                await asyncio.sleep(10.0)
                stations[0].restore()
                await asyncio.sleep(20.0)
                recalling.cancel()
                await asyncio.gather(recalling, playing, return_exceptions=True)
                life.close()
            curves = load_session(str(place), "last").sides[0].curves
            assert curves.missing == 0
            assert curves.pressure_mmhg[-1].max() < VENTED_MMHG
            assert int(curves.replayed.sum()) > 5_000 // SAMPLE_PERIOD_MS

    run_virtual(work())
