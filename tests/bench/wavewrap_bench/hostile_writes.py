"""Any bytes, to any characteristic, in any state, by anybody: the firmware must neither fail nor press outside a session under a lease.

A fleet of wraps on one plant; some are driven through sessions, faults and stops on purpose while all of them are written to between the
control ticks. What an unauthenticated link sends passes the real permission table first. After every write and every tick the laws are
looked at; they are told at :func:`_find_breach`. Seeded; the same seed gives the same writes.
"""

from dataclasses import dataclass, field
from random import Random

import numpy as np

from wavewrap_bench.safety_gateway import PAYLOAD_BYTES, GatewayPart, Write
from wavewrap_bench.safety_link import flip_bits
from wavewrap_board.board import Board
from wavewrap_gateway.adapters.program_files import load_program
from wavewrap_gateway.core.wave import Wave, compile_wave
from wavewrap_protocol import uuids
from wavewrap_protocol.checksum import crc16
from wavewrap_protocol.codec import FROM_DEVICE
from wavewrap_protocol.commands import COMMANDS, Acknowledge, Arm, ControlWrite, Plan, Renew, Step, Stop, TimePing
from wavewrap_protocol.enums import Cause, DeviceState, Fault, Opcode, Result
from wavewrap_protocol.errors import WavewrapError
from wavewrap_protocol.limits import CHARACTERISTIC_MAX_BYTES, LEASE_MAX_MS
from wavewrap_protocol.payloads import Side
from wavewrap_protocol.reports import Answer, Capabilities
from wavewrap_protocol.states import PRESSURISING
from wavewrap_protocol.units import CMMHG_PER_MMHG, TICK_MODULUS, TICKS_PER_S
from wavewrap_sim.electronics import Electronics
from wavewrap_sim.firmware import Inputs
from wavewrap_sim.firmware_config import CONTROL_PERIOD_S, CONTROL_PERIOD_TICK
from wavewrap_sim.firmware_from_board import firmware_config
from wavewrap_sim.from_board import plant_of, sensors_of
from wavewrap_sim.permissions import REQUIRED, SecurityLevel, may_write
from wavewrap_sim.pneumatics import Plant
from wavewrap_sim.protection import protection_of
from wavewrap_sim.sensors import PressureSensors

__all__ = ["HostileResult", "play_hostile"]

WRAPS = 32
WRITES_A_TICK = 5
"""Between two control ticks of one wrap."""

STOP_PART = 0.005
"""Of the stops that would be written to a driven wrap. Choice: otherwise none of them would ever run."""

SUBSTEP_S = 0.01
LEASE_TICKS = LEASE_MAX_MS * TICKS_PER_S // 1000
UNKNOWN = ("0000fff0-0000-1000-8000-00805f9b34fb", uuids.SERVICE, "")
PROGRAM = "calf-wave"


@dataclass
class HostileResult:
    """What came of it: writes made and let through, by the state they met; the first breach, or an empty string."""

    writes: int = 0
    delivered: int = 0
    unauthenticated: int = 0
    in_state: dict[str, int] = field(default_factory=lambda: {state.name: 0 for state in DeviceState})
    accepted: int = 0
    """Commands answered with OK."""
    breach: str = ""


class _Target:
    """One wrap under attack at ``level``; a gateway of its own drives it when ``driven``."""

    def __init__(self, board: Board, level: SecurityLevel, seed: int, wave: Wave, *, driven: bool) -> None:
        self.rng = Random(f"{seed}/hostile")
        self.level = level
        limiter_rng, boot_rng = np.random.default_rng((seed, 1)), np.random.default_rng((seed, 2))
        self.electronics = Electronics(firmware_config(board), protection_of(board), limiter_rng, boot_rng)
        self.electronics.boot(0, Cause.BOOT)
        firmware = self.electronics.firmware
        firmware.link_up(0, PAYLOAD_BYTES)
        self._capabilities = Capabilities.decode(firmware.read(0, uuids.CAPABILITIES))
        self._wave = wave
        self.driven = driven
        self.gateway = self._new_gateway()
        self.said: list[Write] = [(uuids.TIME, TimePing(1).encode())]
        self.granted_tick = -LEASE_TICKS
        """When the last lease was granted."""
        self.chambers = len(board.chambers)
        self.next_seq = 0
        self.session_id = 0

    def _new_gateway(self) -> GatewayPart:
        return GatewayPart(self._wave, self._capabilities, self.rng.randrange(1, 1 << 32))

    def drive_on(self, at: int) -> list[Write]:
        """What somebody who may do so writes to keep all states visited: sessions, a stop now and then, an acknowledgement of a fault."""
        if not self.driven or at % 10:
            return []
        firmware = self.electronics.firmware
        if firmware.state is DeviceState.FAULT:
            return [(uuids.CONTROL, ControlWrite(self.rng.randrange(1 << 16), Acknowledge(firmware.fault)).encode())]
        if firmware.state is DeviceState.RUNNING and self.rng.random() < 0.01:
            return [(uuids.STOP, Stop().encode())]
        if self.gateway.is_over or (self.gateway.started_s is not None and firmware.state is DeviceState.IDLE):
            self.gateway = self._new_gateway()
        return self.gateway.speak(at * CONTROL_PERIOD_S)

    def make_write(self, tick: int) -> Write:
        """Anything: noise, what was said before, whole or damaged, and well-formed messages of nonsense or of evil intent."""
        rng = self.rng
        match rng.randrange(8):
            case 0:
                return rng.choice((*REQUIRED, *UNKNOWN)), rng.randbytes(
                    rng.choice((0, 1, 3, 11, 20, rng.randrange(CHARACTERISTIC_MAX_BYTES + 1)))
                )
            case 1:
                return rng.choice(self.said)
            case 2:
                uuid, data = rng.choice(self.said)
                return uuid, flip_bits(rng, data)
            case 3:
                uuid, data = rng.choice(self.said)
                return uuid, data[: rng.randrange(len(data) + 1)] + rng.choice((b"", rng.randbytes(4)))
            case 4:
                _, data = rng.choice(self.said)
                changed = flip_bits(rng, data)[:-2]
                return uuids.PLAN, changed + crc16(changed).to_bytes(2, "little")
            case 5:
                command = rng.choice(list(COMMANDS.values()))
                payload = bytearray(rng.randbytes(command.STRUCT.size))
                if len(payload) >= 4 and rng.random() < 0.7:
                    payload[:4] = self.session_id.to_bytes(4, "little")
                return uuids.CONTROL, bytes((command.OPCODE,)) + rng.randbytes(2) + bytes(payload)
            case 6:
                return uuids.CONTROL, ControlWrite(rng.randrange(1 << 16), self._evil_command()).encode()
            case _:
                steps = tuple(
                    Step(
                        (tick + rng.randrange(-20_000, 60_000)) % TICK_MODULUS,
                        rng.choice((rng.randrange(self.chambers), rng.randrange(256))),
                        rng.choice((0, 8_000, rng.randrange(-32_768, 32_768))),
                        rng.randrange(65_536),
                    )
                    for _ in range(rng.randrange(1, 4))
                )
                first_seq = rng.choice((self.next_seq, rng.randrange(1 << 32)))
                return uuids.PLAN, Plan(rng.randrange(1 << 16), self.session_id, first_seq, steps).encode()

    def _evil_command(self) -> Arm | Renew | Acknowledge:
        rng = self.rng
        lease_ms = rng.choice((5_000, rng.randrange(65_536)))
        match rng.randrange(3):
            case 0:
                return Arm(rng.randrange(1 << 32), lease_ms, rng.choice((8_000, 32_767, rng.randrange(-32_768, 32_768))))
            case 1:
                return Renew(self.session_id, lease_ms)
        return Acknowledge(rng.choice((self.electronics.firmware.fault, rng.randrange(256))))


def play_hostile(board: Board, writes: int, seed: int = 1) -> HostileResult:
    """Write ``writes`` times to a fleet like ``board``. Stops at the first breach."""
    result = HostileResult()
    wave = compile_wave(load_program(PROGRAM, len(board.chambers)), Side.LEFT, len(board.chambers))
    levels = [SecurityLevel.AUTHENTICATED, SecurityLevel.OPEN, SecurityLevel.ENCRYPTED, SecurityLevel.AUTHENTICATED]
    fleet = [_Target(board, levels[at % 4], seed * 1000 + at, wave, driven=at % 8 < 5) for at in range(WRAPS)]
    plant = Plant([plant_of(board)] * WRAPS, SUBSTEP_S)
    sensors = PressureSensors(sensors_of(board), (WRAPS, len(board.chambers)), np.random.default_rng((seed, 3)))
    manifolds = PressureSensors(sensors_of(board), (WRAPS,), np.random.default_rng((seed, 4)))
    rng = Random(f"{seed}/inputs")
    # Now and then a sensor breaks for a moment: otherwise nobody would meet a wrap with a fault.
    broken_until = [0] * WRAPS
    at = 0
    while result.writes < writes and not result.breach:
        at += 1
        drives = [target.electronics.drive for target in fleet]
        plant.step(
            CONTROL_PERIOD_S,
            [drive.pump_duty for drive in drives],
            [drive.inlet_open for drive in drives],
            [drive.vent_open for drive in drives],
            [drive.dump_open for drive in drives],
        )
        pressure, manifold = plant.pressure_mmhg, plant.manifold_mmhg
        seen = np.column_stack((sensors.read_mmhg(pressure, CONTROL_PERIOD_S), manifolds.read_mmhg(manifold, CONTROL_PERIOD_S)))
        readings = np.rint(seen * CMMHG_PER_MMHG).astype(int).tolist()
        true_mmhg = pressure.tolist()
        for row, target in enumerate(fleet):
            if rng.random() < 0.0005:
                broken_until[row] = at + 20
            if at < broken_until[row]:
                readings[row][0] = 30_000
            result.breach = _attack(target, at, readings[row], true_mmhg[row], result)
            if result.breach:
                result.breach = f"wrap {row} at {at * CONTROL_PERIOD_S:.2f} s: {result.breach}"
                break
    return result


def _attack(target: _Target, at: int, readings: list[int], pressure_mmhg: list[float], result: HostileResult) -> str:
    """One control period of one wrap; the breach, or an empty string."""
    electronics, tick = target.electronics, at * CONTROL_PERIOD_TICK
    was = electronics.firmware.state
    try:
        boot_cause = electronics.tick(tick, CONTROL_PERIOD_S, pressure_mmhg, Inputs(tuple(readings[:-1]), 90.0, readings[-1]))
        if boot_cause is not None:
            return f"the device went down: {boot_cause.name}"
        breach = _find_breach(target, tick, was, b"", result, own=False)
        for write in target.drive_on(at):
            was = electronics.firmware.state
            target.said.append(write)
            electronics.write(tick, *write, pressure_mmhg)
            breach = breach or _find_breach(target, tick, was, write[1], result, own=True)
        del target.said[:-64]
        for number in range(WRITES_A_TICK):
            if breach:
                break
            uuid, data = target.make_write(tick)
            if uuid == uuids.STOP and target.driven and target.rng.random() > STOP_PART:
                continue
            # In the middle of a period too, when no control tick is due.
            now_tick = tick + number * (CONTROL_PERIOD_TICK // WRITES_A_TICK)
            was = electronics.firmware.state
            result.writes += 1
            result.in_state[was.name] += 1
            result.unauthenticated += target.level is not SecurityLevel.AUTHENTICATED
            if uuid in REQUIRED and not may_write(target.level, uuid):
                continue
            if uuid not in REQUIRED and target.level is not SecurityLevel.AUTHENTICATED:
                continue
            result.delivered += 1
            electronics.write(now_tick, uuid, data, pressure_mmhg)
            breach = _find_breach(target, now_tick, was, data, result, own=False)
    except Exception as failure:  # noqa: BLE001  # the one place that looks for any error at all; it ends the run
        return f"{type(failure).__name__}: {failure}"
    return breach


def _find_breach(target: _Target, tick: int, was: DeviceState, data: bytes, result: HostileResult, *, own: bool) -> str:
    """The laws: what comes out can be read; nothing presses outside ARMED and RUNNING, nor without a lease granted less than 5 s ago; no
    command is carried out over a link that is not authenticated."""
    firmware, drive = target.electronics.firmware, target.electronics.drive
    outgoing = target.electronics.take_outgoing()
    for message in outgoing:
        try:
            said = FROM_DEVICE[message.characteristic](message.data)
        except WavewrapError as cause:
            return f"unreadable answer {message.data.hex()} to {data.hex()}: {cause}"
        if isinstance(said, Answer) and said.result is Result.OK:
            result.accepted += 1
            if not own and target.level is not SecurityLevel.AUTHENTICATED and data:
                return f"an unauthenticated write was carried out: {data.hex()}"
            if said.opcode in (Opcode.ARM, Opcode.RENEW):
                target.granted_tick = tick
            if said.opcode == Opcode.ARM and len(data) >= 7:
                target.session_id, target.next_seq = int.from_bytes(data[3:7], "little"), 0
            elif said.opcode == Opcode.PLAN:
                target.next_seq = Plan.decode(data).first_seq + len(Plan.decode(data).steps)
    if target.driven:
        target.gateway.hear(tick / TICKS_PER_S, outgoing)
    target.electronics.take_events()
    state = firmware.state
    if state in PRESSURISING:
        if tick - target.granted_tick > LEASE_TICKS + CONTROL_PERIOD_TICK:
            return f"still {state.name} {(tick - target.granted_tick) / TICKS_PER_S:.2f} s after the last lease"
        if was not in PRESSURISING and not data:
            return f"{was.name} became {state.name} without a command"
        return ""
    relieved = firmware.fault is Fault.VENT_FAILED
    if drive.pump_duty or drive.pump_enabled or not all(drive.vent_open) or not drive.dump_open or (any(drive.inlet_open) and not relieved):
        return f"{state.name} drives {drive} after {data.hex()}"
    return ""
