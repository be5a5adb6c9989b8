"""The wrap's GATT server lets through what the protocol's table allows on each kind of link, and answers the rest with the right error.

Real bumble hosts on both sides. What is expected is worked out from the text of the protocol, not from the code.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from bumble import att
from bumble.att import ATT_Error, ErrorCode
from bumble.core import ProtocolError
from bumble.device import Connection
from bumble.gatt import GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR
from bumble.hci import HCI_ErrorCode, HCI_LE_Enable_Encryption_Command
from bumble.pairing import PairingDelegate
from tests.support.central import Central, Keypad, WrapClient, error_of, open_central
from tests.support.normative_text import read_tables

from wavewrap_protocol import uuids
from wavewrap_protocol.commands import ControlWrite, Plan, Step, Stop, Stream, TimePing
from wavewrap_protocol.payloads import Side
from wavewrap_protocol.reports import Answer
from wavewrap_sim.air import Air, AirController
from wavewrap_sim.bonds import BondFile
from wavewrap_sim.gatt import WrapPeripheral
from wavewrap_sim.hci_pipe import host_on
from wavewrap_sim.log import LogEntry
from wavewrap_sim.pairing_window import WrapPairing
from wavewrap_sim.permissions import REQUIRED, WRITABLE, SecurityLevel
from wavewrap_sim.scenario import CLEAR, Scenario
from wavewrap_sim.virtual_time import run_virtual
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

ADDRESS = "F0:57:52:00:00:01"
PASSKEY = 7_042
TIMED = Scenario(name="timed", event_loss_pct=10)

ROWS = {getattr(uuids, row["name"]): row for row in read_tables()["Service"] if row["properties"] != "service"}
NOT_IN_THE_SIMULATOR = {(uuids.BATTERY_LEVEL, "notify")}

LEVEL_OF_WORD = {"open": SecurityLevel.OPEN, "encrypted": SecurityLevel.ENCRYPTED, "authenticated": SecurityLevel.AUTHENTICATED}

VALUES = {
    uuids.CONTROL: ControlWrite(1, Stream(0, 0)).encode(),
    uuids.STOP: Stop(0).encode(),
    uuids.PLAN: Plan(2, 1, 0, (Step(10_000, 0, 0, 0),)).encode(),
    uuids.TIME: TimePing(3).encode(),
}
"""What is written; anything, where the characteristic takes nothing."""


@dataclass(frozen=True, slots=True)
class Bench:
    """One wrap and one central."""

    peripheral: WrapPeripheral
    central: Central

    async def open(self, kind: str) -> WrapClient:
        """A link of ``kind``."""
        self.peripheral.press_pairing_button()
        connection = await self.central.connect(ADDRESS)
        if kind == "just works":
            self.central.use(PairingDelegate())
            await connection.pair()
        elif kind in ("passkey", "legacy passkey"):
            self.central.use(Keypad(PASSKEY), sc=kind == "passkey")
            await connection.pair()
        elif kind != "unencrypted":
            self.central.use(Keypad(PASSKEY))
            await connection.pair()
            connection = await self.reconnect(connection)
            if kind == "bonded, encrypted again":
                await connection.encrypt()
        return await self.central.explore(connection)

    async def reconnect(self, connection: Connection) -> Connection:
        await connection.disconnect()
        await asyncio.sleep(1.0)
        return await self.central.connect(ADDRESS)


@asynccontextmanager
async def one_wrap(passkey: int | None = PASSKEY, scenario: Scenario = CLEAR) -> AsyncIterator[Bench]:
    """Its pairing window is open, where it has one."""
    clock = asyncio.get_running_loop().time
    air = Air(scenario, seed=1)
    log: list[LogEntry] = []
    wrap = SimulatedWrap(WrapSettings(serial="GUARDED", side=Side.LEFT, plant_substep_s=0.01), clock(), log.append)
    controller = AirController("wrap", link=air, public_address="00:00:5E:00:52:01", wrap=0)
    pairing = None if passkey is None else WrapPairing(BondFile(None).bonds_of("GUARDED"), lambda: passkey, log.append)
    peripheral = WrapPeripheral(wrap, host_on(controller), ADDRESS, clock, pairing)
    await peripheral.start()
    peripheral.press_pairing_button()
    try:
        async with open_central(air) as central:
            yield Bench(peripheral, central)
        await asyncio.sleep(6.0)
    finally:
        await peripheral.stop()


LINKS = {
    "unencrypted": (SecurityLevel.OPEN, False),
    "just works": (SecurityLevel.ENCRYPTED, True),
    "legacy passkey": (SecurityLevel.ENCRYPTED, True),
    "passkey": (SecurityLevel.AUTHENTICATED, True),
    "bonded, not encrypted": (SecurityLevel.OPEN, True),
    "bonded, encrypted again": (SecurityLevel.AUTHENTICATED, True),
}
"""What each kind of link is worth, and whether the wrap has a bond with the central."""


def expected_error(kind: str, uuid: str, properties: set[str], refusal: ErrorCode) -> ErrorCode | None:
    """By the protocol's table and Bluetooth Core, Vol 3 Part C 10.3.1; ``properties``: one of them has to be there."""
    if not properties & set(ROWS[uuid]["properties"].split(", ")):
        return refusal
    level, bonded = LINKS[kind]
    if level >= LEVEL_OF_WORD[ROWS[uuid]["security"]]:
        return None
    return ErrorCode.INSUFFICIENT_ENCRYPTION if bonded and level is SecurityLevel.OPEN else ErrorCode.INSUFFICIENT_AUTHENTICATION


def test_the_levels_are_those_of_the_protocol() -> None:
    assert {uuid: LEVEL_OF_WORD[row["security"]] for uuid, row in ROWS.items()} == REQUIRED
    assert REQUIRED[uuids.STOP] <= SecurityLevel.ENCRYPTED
    assert {uuid for uuid, row in ROWS.items() if "write" in row["properties"]} == WRITABLE


@pytest.mark.parametrize("kind", LINKS)
def test_every_operation_on_every_characteristic(kind: str) -> None:
    async def work() -> None:
        async with one_wrap() as bench:
            client = await bench.open(kind)
            assert ROWS.keys() <= client.characteristics.keys()
            got: dict[tuple[str, str], ErrorCode | None] = {}
            expected: dict[tuple[str, str], ErrorCode | None] = {}
            for uuid, row in ROWS.items():
                name = row["name"]
                got[name, "read"] = await error_of(client.read(uuid))
                expected[name, "read"] = expected_error(kind, uuid, {"read"}, ErrorCode.READ_NOT_PERMITTED)
                got[name, "write"] = await error_of(client.write(uuid, VALUES.get(uuid, b"\x00")))
                expected[name, "write"] = expected_error(kind, uuid, {"write"}, ErrorCode.WRITE_NOT_PERMITTED)
                told = {word for word in row["properties"].split(", ") if (uuid, word) not in NOT_IN_THE_SIMULATOR}
                assert client.has_cccd(uuid) == bool(told & {"notify", "indicate"})
                if client.has_cccd(uuid):
                    bits = b"\x01\x00" if "notify" in told else b"\x02\x00"
                    got[name, "subscribe"] = await error_of(client.write_cccd(uuid, bits))
                    expected[name, "subscribe"] = expected_error(kind, uuid, told, ErrorCode.WRITE_NOT_PERMITTED)
                    granted = bits if expected[name, "subscribe"] is None else b"\x00\x00"
                    assert await client.read_cccd(uuid) == granted
            assert got == expected
            assert len(got) > 2 * len(ROWS)

    run_virtual(work())


@pytest.mark.parametrize("kind", LINKS)
def test_long_and_grouped_reads_and_queued_writes_are_no_way_around(kind: str) -> None:
    async def work() -> None:
        async with one_wrap() as bench:
            client = await bench.open(kind)
            level, _ = LINKS[kind]
            gatt = client.peer.gatt_client
            capabilities = client.characteristics[uuids.CAPABILITIES]
            refusal = expected_error(kind, uuids.CAPABILITIES, {"read"}, ErrorCode.READ_NOT_PERMITTED)
            by_type = await gatt.read_characteristics_by_uuid(capabilities.uuid, None)
            assert len(by_type) == (1 if refusal is None else 0)
            plan = client.characteristics[uuids.PLAN].handle
            queued = await error_of(gatt.write_long_value(plan, VALUES[uuids.PLAN]))
            assert queued == expected_error(kind, uuids.PLAN, {"write"}, ErrorCode.WRITE_NOT_PERMITTED)
            assert (queued is None) == (level is SecurityLevel.AUTHENTICATED)
            telemetry = client.characteristics[uuids.TELEMETRY].handle
            assert await error_of(gatt.write_long_value(telemetry, b"\x00")) == ErrorCode.WRITE_NOT_PERMITTED
            assert await error_of(gatt.write_long_value(plan - 1, b"\x00")) == ErrorCode.WRITE_NOT_PERMITTED

    run_virtual(work())


def test_an_open_wrap_asks_for_nothing_but_has_its_properties() -> None:
    async def work() -> None:
        async with one_wrap(passkey=None) as bench:
            client = await bench.open("unencrypted")
            assert len(await client.read(uuids.CAPABILITIES)) > 0
            await client.write(uuids.CONTROL, VALUES[uuids.CONTROL])
            await client.write_cccd(uuids.TELEMETRY, b"\x01\x00")
            assert await error_of(client.read(uuids.PLAN)) == ErrorCode.READ_NOT_PERMITTED
            assert await error_of(client.write(uuids.CAPABILITIES, b"\x00")) == ErrorCode.WRITE_NOT_PERMITTED
            assert await error_of(client.write(uuids.SERIAL_NUMBER, b"mine")) == ErrorCode.WRITE_NOT_PERMITTED

    run_virtual(work())


def test_a_subscription_is_two_bytes_of_what_the_characteristic_offers() -> None:
    async def work() -> None:
        async with one_wrap(passkey=None) as bench:
            client = await bench.open("unencrypted")
            assert await error_of(client.write_cccd(uuids.TELEMETRY, b"\x01")) == ErrorCode.INVALID_ATTRIBUTE_LENGTH
            assert await error_of(client.write_cccd(uuids.TELEMETRY, b"\x02\x00")) == ErrorCode.CCCD_IMPROPERLY_CONFIGURED
            assert await error_of(client.write_cccd(uuids.REPORT, b"\x01\x00")) == ErrorCode.CCCD_IMPROPERLY_CONFIGURED
            assert await client.read_cccd(uuids.REPORT) == b"\x00\x00"
            await client.write_cccd(uuids.REPORT, b"\x02\x00")
            await client.write_cccd(uuids.REPORT, b"\x00\x00")
            assert await client.read_cccd(uuids.REPORT) == b"\x00\x00"

    run_virtual(work())


def test_the_bluetooth_core_services_stay_writable() -> None:
    """Systems subscribe to Service Changed on every link, before they pair."""

    async def work() -> None:
        async with one_wrap() as bench:
            client = await bench.open("unencrypted")
            changed = client.characteristics["00002a05-0000-1000-8000-00805f9b34fb"]
            assert changed.get_descriptor(GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR) is not None
            await client.write_cccd("00002a05-0000-1000-8000-00805f9b34fb", b"\x02\x00")

    run_virtual(work())


def test_a_wrong_passkey_gives_no_bond_and_the_next_attempt_starts_anew() -> None:
    async def work() -> None:
        async with one_wrap(scenario=TIMED) as bench:
            connection = await bench.central.connect(ADDRESS)
            keypad = Keypad(PASSKEY ^ 1 << 9)
            bench.central.use(keypad)
            with pytest.raises(ProtocolError, match="CONFIRM_VALUE_FAILED"):
                await connection.pair()
            assert keypad.asked == 1
            client = await bench.central.explore(connection)
            assert not connection.is_encrypted
            assert await error_of(client.read(uuids.CAPABILITIES)) == ErrorCode.INSUFFICIENT_AUTHENTICATION
            keypad.passkey = PASSKEY
            await connection.pair()
            assert await error_of(client.write(uuids.CONTROL, VALUES[uuids.CONTROL])) is None

    run_virtual(work())


def test_a_passkey_pairing_over_a_lossy_radio_runs_the_control_point() -> None:
    async def work() -> None:
        async with one_wrap(scenario=TIMED) as bench:
            client = await bench.open("passkey")
            answers: list[bytes] = []
            await client.characteristics[uuids.CONTROL].subscribe(answers.append)
            for cmd_id in range(5):
                await client.write(uuids.CONTROL, ControlWrite(cmd_id, Stream(0, 0)).encode())
            await asyncio.sleep(1.0)
            assert [Answer.decode(bytes(answer)).cmd_id for answer in answers] == [0, 1, 2, 3, 4]

    run_virtual(work())


def test_pairing_anew_without_a_passkey_takes_the_motion_away() -> None:
    """Somebody with the central's address may come and pair by Just Works: that link is worth no more than its own key."""

    async def work() -> None:
        async with one_wrap() as bench:
            client = await bench.open("bonded, encrypted again")
            answers: list[bytes] = []
            await client.characteristics[uuids.CONTROL].subscribe(answers.append)
            await client.write(uuids.CONTROL, VALUES[uuids.CONTROL])
            await asyncio.sleep(0.5)
            assert len(answers) == 1
            bench.peripheral.press_pairing_button()
            bench.central.use(PairingDelegate())
            await client.connection.pair()
            assert await error_of(client.write(uuids.PLAN, VALUES[uuids.PLAN])) == ErrorCode.INSUFFICIENT_AUTHENTICATION
            assert await error_of(client.write(uuids.STOP, VALUES[uuids.STOP])) is None
            assert await error_of(client.write_cccd(uuids.CONTROL, b"\x02\x00")) == ErrorCode.INSUFFICIENT_AUTHENTICATION

    run_virtual(work())


def test_the_bond_of_one_central_lifts_no_other() -> None:
    async def work() -> None:
        async with one_wrap() as bench:
            first = await bench.open("passkey")
            await first.connection.disconnect()
            await asyncio.sleep(1.0)
            async with open_central(bench.central.air, 2) as other:
                bench.peripheral.press_pairing_button()
                connection = await other.connect(ADDRESS)
                other.use(PairingDelegate())
                await connection.pair()
                client = await other.explore(connection)
                assert await error_of(client.read(uuids.CAPABILITIES)) is None
                assert await error_of(client.write(uuids.CONTROL, VALUES[uuids.CONTROL])) == ErrorCode.INSUFFICIENT_AUTHENTICATION

    run_virtual(work())


def test_encryption_asked_for_in_the_middle_of_a_pairing_is_refused() -> None:
    async def work() -> None:
        async with one_wrap() as bench:
            connection = await bench.central.connect(ADDRESS)
            bench.central.use(_NobodyThere(PASSKEY))
            pairing = asyncio.ensure_future(connection.pair())
            await asyncio.sleep(1.0)
            failures: asyncio.Queue[int] = asyncio.Queue()
            connection.on(Connection.EVENT_CONNECTION_ENCRYPTION_FAILURE, failures.put_nowait)
            await bench.central.device.send_async_command(
                HCI_LE_Enable_Encryption_Command(
                    connection_handle=connection.handle, random_number=bytes(8), encrypted_diversifier=0, long_term_key=bytes(16)
                )
            )
            async with asyncio.timeout(5.0):
                assert await failures.get() == HCI_ErrorCode.PIN_OR_KEY_MISSING_ERROR
            assert not connection.is_encrypted
            pairing.cancel()
            await asyncio.gather(pairing, return_exceptions=True)

    run_virtual(work())


class _NobodyThere(Keypad):
    async def get_number(self) -> int:
        await asyncio.sleep(600.0)
        return self.passkey


def test_nothing_is_sent_to_who_may_not_have_it() -> None:
    """Telemetry that streams for one central is not for the next one; a subscription that was refused gets nothing."""

    async def work() -> None:
        async with one_wrap() as bench:
            client = await bench.open("passkey")
            frames: list[bytes] = []
            await client.characteristics[uuids.TELEMETRY].subscribe(frames.append)
            await client.write(uuids.CONTROL, ControlWrite(1, Stream(1, 0)).encode())
            await asyncio.sleep(1.0)
            assert len(frames) > 5
            connection = await bench.reconnect(client.connection)
            again = await bench.central.explore(connection)
            strays: list[bytes] = []
            with pytest.raises(ATT_Error):
                await again.characteristics[uuids.TELEMETRY].subscribe(strays.append)
            count = len(frames)
            await asyncio.sleep(1.0)
            assert (strays, len(frames)) == ([], count)

    run_virtual(work())


def test_a_command_that_may_not_be_given_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with one_wrap() as bench:
            client = await bench.open("unencrypted")
            for uuid, value in VALUES.items():
                await client.write(uuid, value, with_response=False)
            await asyncio.sleep(0.5)
            assert await client.read(uuids.SERIAL_NUMBER) == b"GUARDED"
            client = await bench.central.explore(await bench.reconnect(client.connection))
            bench.central.use(Keypad(PASSKEY))
            await client.connection.pair()
            # Allowed by the link, but not as commands: no answer may come of them.
            answers: list[bytes] = []
            await client.characteristics[uuids.CONTROL].subscribe(answers.append)
            for uuid in (uuids.CONTROL, uuids.PLAN):
                await client.write(uuid, VALUES[uuid], with_response=False)
            await asyncio.sleep(0.5)
            assert answers == []

    with caplog.at_level(logging.INFO):
        run_virtual(work())
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert sum("is ignored" in record.getMessage() for record in caplog.records) == len(VALUES) + 2


def test_reading_several_values_at_once_is_answered_as_not_supported() -> None:
    async def work() -> None:
        async with one_wrap() as bench:
            client = await bench.open("unencrypted")
            handles = [client.characteristics[uuid].handle for uuid in (uuids.CAPABILITIES, uuids.SERIAL_NUMBER)]
            for request in (att.ATT_Read_Multiple_Request(handles), att.ATT_Read_Multiple_Variable_Request(handles)):
                response = await client.peer.gatt_client.send_request(request)
                assert isinstance(response, att.ATT_Error_Response)
                assert response.error_code == ErrorCode.REQUEST_NOT_SUPPORTED

    run_virtual(work())
