"""``bench data``: nothing lost from the sensor to a subscriber, while gateway and broker are killed and the radio fades.

Simulator, gateway, mosquitto and subscriber are separate programs. What the wraps sampled is known by number (every 20 ms from boot on,
and the simulator's log says how far); what came is counted by the subscriber; what is missing, the gateway must have reported; and the
history has of every session what the subscriber got of it, to the vent of one that was cut off. The
broker is told to hand on before it acknowledges (a large window to its subscribers): what a broker loses of what it has acknowledged,
no gateway can bring back.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from wavewrap_gateway.app.simulator import simulator
from wavewrap_gateway.bench.data_books import Books
from wavewrap_gateway.bench.data_history import read_history
from wavewrap_gateway.bench.mosquitto import Mosquitto, run_mosquitto
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine
from wavewrap_gateway.bench.subscriber import Subscriber
from wavewrap_gateway.core.late_samples import AFTERMATH_S
from wavewrap_protocol.errors import LinkError

__all__ = ["FADES_S", "KILLS", "QUIET_S", "bench_data", "bench_data_short"]

WRAPS, CHAMBERS, SEED = 2, 4, 1
HISTORY = "history.sqlite"
KILLS = 20
FADES_S = (1.0, 3.0, 10.0, 30.0)
QUIET_S = 20.0
"""Before anything happens: what latency is measured over."""

FADE_GAP_S = 12.0
START_S = 12.0
"""From the simulator's start to a gateway with its links up."""

STARTING_LIVES_S, LINKED_LIVES_S = (0.3, 4.0), (0.3, 6.0)
"""When the gateway is killed: every third time while it starts, else after its links came up. A wrap keeps 60 s: a gateway that never gets
so far loses what is older, and the bench would say so."""

BROKER_LIVES_S = (1.0, 6.0)
BROKER_GONE_S = (0.1, 1.5)
SETTLE_S = 60.0
OVER_BATCH_P50_MS, OVER_BATCH_P99_MS = 15.0, 60.0


async def bench_data_short() -> BenchReport:
    """What ``bench all`` has time for."""
    return await bench_data(kills=8, fades_s=(3.0, 30.0), quiet_s=12.0)


async def bench_data(kills: int = KILLS, fades_s: Sequence[float] = FADES_S, quiet_s: float = QUIET_S) -> BenchReport:
    """One run. Raises :class:`wavewrap_protocol.errors.LocalError` without mosquitto, :class:`LinkError` without simulator."""
    rng = Random(SEED)
    with tempfile.TemporaryDirectory(prefix="wavewrap-") as name:
        folder = Path(name)
        scenario = folder / "fades.toml"
        scenario.write_text(_scenario(fades_s, quiet_s))
        options = ["persistence false", "max_inflight_messages 5000"]
        with run_mosquitto(folder, options) as broker:
            books = Books()
            subscriber = Subscriber(broker.port, "wavewrap/#", books.receive)
            subscriber.start()
            try:
                async with simulator(WRAPS, CHAMBERS, SEED, folder / "sim.jsonl", scenario) as child:
                    begun_s = time.monotonic()
                    gateway = _Gateway(folder, child.radio, broker)
                    try:
                        await _begin(gateway, books)
                        await gateway.keep_for(quiet_s)
                        books.end_quiet()
                        if fades_s:
                            end_s = START_S + quiet_s + sum(fades_s) + FADE_GAP_S * len(fades_s)
                            await gateway.keep_for(end_s - (time.monotonic() - begun_s))
                        broker_kills = asyncio.create_task(_kill_broker(broker, gateway, kills, rng))
                        for number in range(kills):
                            if number % 3 == 0:
                                await gateway.keep_for(rng.uniform(*STARTING_LIVES_S))
                            else:
                                await gateway.keep_until_linked()
                                await gateway.keep_for(rng.uniform(*LINKED_LIVES_S))
                            await gateway.kill()
                        while not broker_kills.done():
                            await gateway.keep_for(0.5)
                        await broker_kills
                        settled = await _settle(gateway, books)
                        await gateway.keep_for(max(0.0, AFTERMATH_S - settled))  # for the record of the last one that was killed
                        await gateway.stop()
                        await asyncio.sleep(1.0)  # its last words
                    finally:
                        await gateway.kill()
                books.read_truth(folder / "sim.jsonl")
            finally:
                subscriber.stop()
            history = read_history(str(folder / HISTORY), books)
            outbox_bytes = sum(path.stat().st_size for path in (folder / "outbox").iterdir())
    latencies = books.over_batch_ms()
    checks = [
        Check(name="samples missing", value=books.missing, unit="", limit=0, better="lower"),
        Check(name="samples not accounted for", value=books.unaccounted(), unit="", limit=0, better="lower"),
        Check(name="events lost", value=books.events_lost(), unit="", limit=0, better="lower"),
        Check(name="samples that differ between duplicates", value=books.contradictions, unit="", limit=0, better="lower"),
        Check(name="samples off the truth", value=books.off_truth, unit="", limit=0, better="lower"),
        Check(name="samples that the history lacks", value=history.lacking, unit="", limit=0, better="lower"),
        Check(name="samples of the history that differ", value=history.differing, unit="", limit=0, better="lower"),
        Check(name="records that end under pressure", value=history.under_pressure, unit="", limit=0, better="lower"),
        Check(name="over the batch, p50", value=latencies.p50, unit="ms", limit=OVER_BATCH_P50_MS, better="lower"),
        Check(name="over the batch, p99", value=latencies.p99, unit="ms", limit=OVER_BATCH_P99_MS, better="lower"),
        Check(name="samples taken", value=books.taken, unit="", limit=None, better="higher"),
        Check(name="samples delivered", value=books.delivered, unit="", limit=None, better="higher"),
        Check(name="taken in sessions", value=history.span, unit="", limit=None, better="higher"),
        Check(name="kept in the history", value=history.kept, unit="", limit=None, better="higher"),
        Check(name="sessions in the history", value=history.sessions, unit="", limit=None, better="higher"),
        Check(name="samples delivered again", value=books.repeated, unit="", limit=None, better="lower"),
        Check(name="batches marked historical", value=books.historical, unit="", limit=None, better="lower"),
        Check(name="events", value=books.events, unit="", limit=None, better="higher"),
        Check(name="gateway killed", value=gateway.kills, unit="times", limit=kills, better="higher"),
        Check(name="settled after", value=settled, unit="s", limit=SETTLE_S, better="lower"),
    ]
    details = {
        "wraps": WRAPS,
        "chambers": CHAMBERS,
        "sample_rate_hz": 50,
        "broker_kills": kills,
        "fades_s": list(fades_s),
        "batch_ms": books.batch_ms,
        "gateway_started": gateway.starts,
        "gateway_ended_by_itself": gateway.starts - gateway.kills - 1,
        "outbox_bytes": outbox_bytes,
        "took_s": round(time.monotonic() - begun_s, 1),
        "accounts": books.describe(),
        "holes": history.holes,
    }
    return BenchReport(bench="data", machine=describe_machine(), checks=checks, details=details)


def _scenario(fades_s: Sequence[float], quiet_s: float) -> str:
    text = 'name = "bench-data"\ninterval_ms = 15\nevent_loss_pct = 5\n'
    at_s = START_S + quiet_s + 2.0
    for number, fade_s in enumerate(fades_s):
        wraps = "" if number % 2 else "wraps = [0]\n"
        text += f"\n[[fades]]\nat_s = {at_s}\nfor_s = {fade_s}\n{wraps}"
        at_s += fade_s + FADE_GAP_S
    return text


async def _kill_broker(broker: Mosquitto, gateway: "_Gateway", kills: int, rng: Random) -> None:
    """While a gateway uses it: one that starts without a broker says so and ends, and a few of those in a row outlast a wrap's memory."""
    for _ in range(kills):
        await asyncio.sleep(rng.uniform(*BROKER_LIVES_S))
        while not gateway.uses_broker():  # noqa: ASYNC110  # another program's output has no event
            await asyncio.sleep(0.05)
        broker.kill()
        await asyncio.sleep(rng.uniform(*BROKER_GONE_S))
        await asyncio.to_thread(broker.start)


async def _begin(gateway: "_Gateway", books: Books) -> None:
    """Until samples of every wrap come."""
    begun_s = time.monotonic()
    while books.wraps_heard() < WRAPS:
        if time.monotonic() - begun_s > SETTLE_S:
            raise LinkError(f"no telemetry of {WRAPS} wraps within {SETTLE_S:g} s: run 'wavewrap demo' to see why")
        await gateway.keep_for(0.2)


async def _settle(gateway: "_Gateway", books: Books) -> float:
    """Leave everything in peace until nothing is missing any more, or the time is over; how long that took."""
    begun_s = time.monotonic()
    books.forget_accounts()
    while time.monotonic() - begun_s < SETTLE_S and not books.is_whole():
        await gateway.keep_for(0.5)
    return time.monotonic() - begun_s


class _Gateway:
    """``wavewrap run`` in a process of its own, started again whenever it has ended, as a person or a service manager would."""

    def __init__(self, folder: Path, radio: str, broker: Mosquitto) -> None:
        self._folder = folder
        self._arguments = ["run", "recovery", "--for", "900", "--radio", radio, "--broker", broker.url, "--json"]
        self._process: Process | None = None
        self.kills = 0
        self.starts = 0

    async def keep_for(self, for_s: float) -> None:
        """Let time pass with a gateway running."""
        end_s = time.monotonic() + for_s
        while (left_s := end_s - time.monotonic()) > 0.0:
            if self._process is None or self._process.returncode is not None:
                await self._start()
            assert self._process is not None  # started above
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._process.wait()

    async def keep_until_linked(self) -> None:
        """Let a gateway run until the links to its wraps are up."""
        end_s = time.monotonic() + SETTLE_S
        while time.monotonic() < end_s and self._told().count("battery") < WRAPS:
            await self.keep_for(0.1)

    def uses_broker(self) -> bool:
        """Whether a gateway runs that has found the broker."""
        return self._process is not None and self._process.returncode is None and "MQTT: " in self._told()

    def _told(self) -> str:
        """What this run of it has said."""
        return "" if self._process is None else (self._folder / f"gateway-{self.starts}.log").read_text(encoding="utf-8")

    async def _start(self) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WAVEWRAP_")}
        environment |= {
            "XDG_CONFIG_HOME": str(self._folder),
            "XDG_DATA_HOME": str(self._folder),
            "WAVEWRAP_GATEWAY": "bench",
            "WAVEWRAP_STORE": str(self._folder / HISTORY),
            "WAVEWRAP_OUTBOX__FOLDER": str(self._folder / "outbox"),
        }
        self.starts += 1
        with (self._folder / f"gateway-{self.starts}.log").open("ab") as log:
            command = [sys.executable, "-m", "wavewrap_gateway", *self._arguments]
            self._process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=log, env=environment)

    async def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
            self.kills += 1

    async def stop(self) -> None:
        """In order, as Ctrl-C does."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
            async with asyncio.timeout(SETTLE_S):
                await self._process.wait()
