"""Four ways to have a step happen at a time, run on the same air and the same wraps; what is judged is the simulator's own log.

``write_at_t`` writes when it is due, as a plain script does; ``write_with_lead`` writes earlier by the predicted way out; ``ntp_queue``
schedules ahead on a clock synchronised by the smallest round trip; ``ours`` is the gateway. The first two drive wraps without a queue,
``ntp_queue`` one whose firmware answers time pings at once, as it would without our protocol.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from bleak import BleakClient

from wavewrap_bench.virtual_bench import Bench, Device, open_bench
from wavewrap_gateway.adapters.bumble_client import BumbleClient
from wavewrap_gateway.core.clock_sync import ClockEstimate, ClockSync
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.lead import LeadPredictor
from wavewrap_gateway.core.wave import Wave, WaveStep
from wavewrap_gateway.runtime.roster import find_wraps, linked
from wavewrap_gateway.runtime.session_runner import Outcome, SessionRunner
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol import uuids
from wavewrap_protocol.commands import Arm, Command, ControlWrite, Plan, Renew, Step
from wavewrap_protocol.limits import LEASE_DEFAULT_MS, QUEUE_DEPTH_DEFAULT
from wavewrap_protocol.units import TICKS_PER_S
from wavewrap_sim.device_clock import DeviceClock
from wavewrap_sim.pong_queue import DITHER_TICKS
from wavewrap_sim.scenario import Scenario

__all__ = ["METHODS", "Played", "play"]

METHODS = ("write_at_t", "write_with_lead", "ntp_queue", "ours")
WRAPS = 2
SESSION_ID = 0x7E57
CEILING_CMMHG = 8_000


@dataclass(slots=True)
class Played:
    """What became of the steps. ``errors_s`` is by session time of the step, one error a wrap, in true host time."""

    errors_s: dict[float, list[float]] = field(default_factory=dict)
    steps: int = 0
    late: int = 0
    missed: int = 0
    slips: int = 0
    outcome: Outcome | None = None

    def add(self, at_s: float, error_s: float) -> None:
        """One step that ran, ``error_s`` after it should have."""
        self.errors_s.setdefault(at_s, []).append(error_s)


def dense_wave(steps: int, period_s: float, seed: int) -> Wave:
    """``steps`` small set-point changes, chamber after chamber, about every ``period_s``, under 15 mmHg: no hold limit ends the run.

    The gaps vary by a third, so that no step keeps in phase with the connection events.
    """
    rng = Random(f"{seed}/wave")
    made: list[WaveStep] = []
    at_s = 0.0
    for number in range(steps):
        made.append(WaveStep(round(at_s, 4), number % 4, 8.0 if number // 4 % 2 else 12.0, 0.0, 0))
        at_s += period_s * rng.uniform(2.0 / 3.0, 4.0 / 3.0)
    duration_s = round(at_s + 1.0, 4)
    made += [WaveStep(round(duration_s - 0.5 + chamber * 0.01, 4), chamber, 0.0, 0.0, 0) for chamber in range(4)]
    return Wave(tuple(made), duration_s, duration_s, 1, 4, (), (12.0,) * 4, ())


async def play(scenario: Scenario, method: str, seed: int, steps: int, period_s: float) -> Played:
    """``steps`` steps a wrap by ``method`` in ``scenario``."""
    wave = dense_wave(steps, period_s, seed)
    queued = method in ("ntp_queue", "ours")
    depth = QUEUE_DEPTH_DEFAULT if queued else 0
    dither = 0 if method == "ntp_queue" else DITHER_TICKS
    async with open_bench(scenario, seed, WRAPS, queue_depth=depth, pong_dither_tick=dither) as bench:
        if queued:
            return await _play_queued(bench, wave, seed, NtpClock if method == "ntp_queue" else ClockSync)
        return await _play_written(bench, wave, with_lead=method == "write_with_lead")


class NtpClock(ClockSync):
    """The rule of NTP's clock filter (RFC 5905, section 10): of the last eight exchanges believe the one with the smallest round trip."""

    def __init__(self) -> None:
        self._exchanges: list[tuple[float, float, int]] = []
        super().__init__()

    def reset(self, boot_id: int) -> None:
        """Forget everything."""
        self._exchanges = []
        super().reset(boot_id)

    def add_arrival(self, tick: int, arrived_s: float) -> None:
        """This rule knows only complete exchanges."""

    def add_ping(self, sent_s: float, received_tick: int, answered_tick: int, returned_s: float) -> None:
        """One complete exchange; recomputes the estimate."""
        super().add_ping(sent_s, received_tick, answered_tick, returned_s)
        received, answered = self.unwrap(received_tick), self.unwrap(answered_tick)
        round_trip_s = (returned_s - sent_s) - (answered - received) / TICKS_PER_S
        self._exchanges = [*self._exchanges[-7:], (round_trip_s, (sent_s + returned_s) / 2.0, (received + answered) // 2)]
        best_s, middle_s, middle_tick = min(self._exchanges)
        self._estimate = ClockEstimate(self.boot_id, middle_s, middle_tick, 1.0, best_s / 2.0, best_s / 2.0)


async def _play_queued(bench: Bench, wave: Wave, seed: int, sync: type[ClockSync]) -> Played:
    clock = asyncio.get_running_loop().time
    sightings = await find_wraps(bench.radio, WRAPS)
    wraps = [Wrap(bench.radio, sighting, clock, bench.rng) for sighting in sightings]
    for wrap in wraps:
        wrap.link.clock_sync = sync()
    async with linked(wraps):
        runs = [WrapRun(wrap, wave, SESSION_ID + seed, 80.0, clock) for wrap in wraps]
        runner = SessionRunner("dense", runs, clock, Lateness())
        outcome = await runner.run()
    played = Played(slips=runner.slips, outcome=outcome)
    for run in runs:
        identity = run.wrap.link.identity
        assert identity is not None
        device = next(device for device in bench.devices if device.serial == identity.serial)
        ran_s = {(entry.seq, entry.planned_tick): entry for entry in device.steps()}
        for step in run.scheduler.sent:
            entry = ran_s.get((step.seq, step.due_tick % (1 << 32)))
            played.steps += 1
            if entry is None or entry.outcome == "flushed":
                played.missed += 1
            elif entry.outcome != "executed":
                played.late += 1
            else:
                played.add(step.at_s, entry.host_s - step.due_s)
        unsent = run.planned_steps() - len(run.scheduler.sent)
        played.steps += unsent
        played.missed += unsent
    return played


async def _play_written(bench: Bench, wave: Wave, *, with_lead: bool) -> Played:
    """A plain script on bleak: connect, arm, and write each step when its time has come."""
    loop = asyncio.get_running_loop()
    clients: list[BleakClient] = []
    sightings = await find_wraps(bench.radio, WRAPS)
    devices = [next(device for device in bench.devices if sighting.address == device.address) for sighting in sightings]
    for sighting in sightings:
        client = BleakClient(sighting.address, backend=BumbleClient, radio=bench.host, timeout=30.0)
        await client.connect()
        await client.start_notify(uuids.CONTROL, lambda _characteristic, _data: None)
        clients.append(client)
    await asyncio.sleep(1.0)  # a wrap arms on readings that have settled
    for client in clients:
        await _command(client, 0, Arm(SESSION_ID, LEASE_DEFAULT_MS, CEILING_CMMHG))
    start_s = loop.time() + 1.0
    played = Played()
    await asyncio.gather(
        *(_write_steps(client, device, wave.steps, start_s, played, with_lead) for client, device in zip(clients, devices, strict=True))
    )
    for client in clients:
        await client.disconnect()
    return played


async def _command(client: BleakClient, cmd_id: int, command: Command) -> None:
    await client.write_gatt_char(uuids.CONTROL, ControlWrite(cmd_id, command).encode(), response=True)


async def _write_steps(
    client: BleakClient, device: Device, steps: Sequence[WaveStep], start_s: float, played: Played, with_lead: bool
) -> None:
    loop = asyncio.get_running_loop()
    lead, renewed_s, cmd_id = LeadPredictor(), loop.time(), 0
    for seq, step in enumerate(steps):
        due_s = start_s + step.at_s
        if loop.time() - renewed_s >= 1.0:
            renewed_s, cmd_id = loop.time(), cmd_id + 1
            await _command(client, cmd_id % 0x8000, Renew(SESSION_ID, LEASE_DEFAULT_MS))
        await asyncio.sleep(max(0.0, due_s - lead.lead_s - loop.time()))
        # A script has no clock of the wrap; it is given the right tick, so that the wrap does not refuse the step as stale.
        wire = Step(DeviceClock.tick_of(device.clock.count_at(due_s)), step.chamber, round(step.target_mmhg * 100), 0)
        cmd_id += 1
        written_s = loop.time()
        await client.write_gatt_char(uuids.PLAN, Plan(cmd_id % 0x8000, SESSION_ID, seq, (wire,)).encode(), response=True)
        if with_lead:
            # The answer takes one interval back, the way out half of one on average: a third of the round trip.
            lead.add((loop.time() - written_s) / 3.0)
    ran = {entry.seq: entry for entry in device.steps()}
    for seq, step in enumerate(steps):
        entry = ran.get(seq)
        played.steps += 1
        if entry is None or entry.outcome != "executed":
            played.missed += 1
        else:
            played.add(step.at_s, entry.host_s - start_s - step.at_s)
