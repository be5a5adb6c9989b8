"""The tables of the normative text against the code, so that they cannot drift apart."""

import dataclasses
import re
import struct
from enum import IntEnum, IntFlag
from typing import Any

import pytest
from tests.support.normative_text import TEXT, Row, read_tables
from tests.support.vectors import MESSAGES, Vector, read_vectors

from wavewrap_protocol import enums, limits, payloads, requests, responses, uuids
from wavewrap_protocol.commands import COMMANDS, ControlWrite, Plan, Stop
from wavewrap_protocol.message import Message
from wavewrap_protocol.reports import Answer, StepsReport, Telemetry
from wavewrap_protocol.states import TRANSITIONS, DeviceEvent

TABLES = read_tables()
TYPE_OF_CODE = {"B": "u8", "H": "u16", "h": "i16", "I": "u32"}
CODE_OF_TYPE = {name: code for code, name in TYPE_OF_CODE.items()}
UNIT_OF_SUFFIX = {"tick": "tick", "ms": "ms", "s": "s", "pct": "%", "ds": "0.1 s", "cmmhg": "0.01 mmHg", "mmhg": "mmHg"}

HAND_MADE: dict[type[Any], tuple[struct.Struct, tuple[str, ...], tuple[str, ...]]] = {
    ControlWrite: (ControlWrite.HEADER, ("opcode", "cmd_id"), ("payload",)),
    Plan: (Plan.HEADER, ("cmd_id", "session_id", "first_seq"), ("steps", "crc16")),
    Answer: (Answer.STRUCT, ("mark", "opcode", "cmd_id", "result", "detail"), ()),
    Telemetry: (Telemetry.HEADER, ("epoch", "flags", "seq", "tick", "period_ms", "mask"), ("samples_cmmhg", "crc16")),
    StepsReport: (StepsReport.HEADER, ("kind", "number"), ("records",)),
    Stop: (struct.Struct("<B"), ("reason",), ()),
}
"""Messages that are more than one struct: fixed head, its names, and what of variable length follows."""


def unit_of(name: str) -> str:
    return UNIT_OF_SUFFIX.get(name.lower().rsplit("_", 1)[-1], "")


def fixed_rows(head: struct.Struct, names: tuple[str, ...]) -> list[Row]:
    offset, rows = 0, []
    for code, name in zip(head.format.removeprefix("<"), names, strict=True):
        size = struct.calcsize("<" + code)
        rows.append({"offset": str(offset), "size": str(size), "type": TYPE_OF_CODE[code], "name": name, "unit": unit_of(name)})
        offset += size
    assert offset == head.size
    return rows


@pytest.mark.parametrize("kind", MESSAGES.values(), ids=lambda kind: kind.__name__)
def test_byte_table_is_the_struct(kind: type[Any]) -> None:
    if issubclass(kind, Message):
        names: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(kind))  # type: ignore[arg-type]  # all are dataclasses
        tail: tuple[str, ...] = ()
        head = kind.STRUCT
    else:
        head, names, tail = HAND_MADE[kind]
    table = [{key: value for key, value in row.items() if key != "meaning"} for row in TABLES[kind.__name__]]
    assert table[: len(names)] == fixed_rows(head, names)
    assert tuple(row["name"] for row in table[len(names) :]) == tail
    assert not tail or table[len(names)]["offset"] == str(head.size)


@pytest.mark.parametrize("vector", read_vectors(), ids=str)
def test_golden_bytes_read_by_the_table_alone(vector: Vector) -> None:
    assert vector.message is not None
    plain = vector.message
    payload = vector.data
    if plain["type"] == "ControlWrite":
        assert payload[: ControlWrite.HEADER.size] == struct.pack("<BH", payload[0], plain["cmd_id"])
        plain, payload = plain["command"], payload[ControlWrite.HEADER.size :]
    seen = set()
    for row in TABLES[plain["type"]]:
        if row["type"] in CODE_OF_TYPE and row["offset"].isdigit() and isinstance(plain.get(row["name"]), int):
            (value,) = struct.unpack_from("<" + CODE_OF_TYPE[row["type"]], payload, int(row["offset"]))
            assert value == plain[row["name"]]
            seen.add(row["name"])
    assert seen == {name for name, value in plain.items() if isinstance(value, int) and not isinstance(value, bool)}


def test_variable_parts_have_the_sizes_that_the_text_gives() -> None:
    rows = {(kind, row["name"]): row for kind in ("Plan", "StepsReport", "Telemetry") for row in TABLES[kind]}
    assert rows["Plan", "steps"]["size"] == f"{MESSAGES['Step'].STRUCT.size} n"
    assert rows["Plan", "crc16"]["offset"] == f"{Plan.HEADER.size} + {MESSAGES['Step'].STRUCT.size} n"
    assert rows["StepsReport", "records"]["size"] == f"{MESSAGES['StepRecord'].STRUCT.size} n"
    assert rows["Telemetry", "samples_cmmhg"]["size"] == "2 c n"
    assert rows["Telemetry", "crc16"]["offset"] == f"{Telemetry.HEADER.size} + 2 c n"
    assert f"1 to {Plan.capacity(limits.CHARACTERISTIC_MAX_BYTES)} steps" in TEXT


def test_every_opcode_stands_in_its_section() -> None:
    for opcode, command in COMMANDS.items():
        assert f"### {command.__name__}\n\nOpcode {opcode:#04x}." in TEXT
    assert [row["opcode"] for row in TABLES["Commands and answers"]] == [opcode.name for opcode in enums.Opcode]


ENUMS = [kind for kind in vars(enums).values() if isinstance(kind, type) and issubclass(kind, IntEnum | IntFlag) and kind.__members__]


@pytest.mark.parametrize("kind", ENUMS, ids=lambda kind: kind.__name__)
def test_enumeration_table_is_the_enum(kind: type[IntEnum]) -> None:
    assert [(int(row["number"], 0), row["name"]) for row in TABLES[kind.__name__]] == [(member.value, member.name) for member in kind]
    assert all(row["meaning"] for row in TABLES[kind.__name__])


def test_state_table_is_the_code() -> None:
    table = {
        (state, event): cell
        for row in TABLES["Device states"]
        for state in [row["state"]]
        for event, cell in row.items()
        if event != "state"
    }
    assert set(table) == {(state.name, event.name) for state in enums.DeviceState for event in DeviceEvent}
    assert {key: cell for key, cell in table.items() if cell != "-"} == {
        (state.name, event.name): after.name for (state, event), after in TRANSITIONS.items()
    }


def test_limits_table_is_the_code() -> None:
    code = {name: value for name, value in vars(limits).items() if name.isupper()}
    rows = TABLES["Limits"]
    assert {row["name"]: float(row["value"]) for row in rows} == {name: float(value) for name, value in code.items()}
    assert {row["name"]: row["unit"] for row in rows} == {name: unit_of(name) for name in code}
    assert all(row["evidence"] for row in rows)


def test_service_table_is_the_code() -> None:
    code = {name: value for name, value in vars(uuids).items() if name.isupper() and isinstance(value, str)}
    assert {row["name"]: row["UUID"] for row in TABLES["Service"]} == code
    assert f"{uuids.ADVERTISED_COMPANY_ID:#06X}".replace("0X", "0x") in TABLES["Advertising"][0]["meaning"]


def test_topic_table_is_the_code() -> None:
    code = [(topic.path, topic.model.__name__, "yes" if topic.retained else "no", str(topic.qos)) for topic in payloads.TOPICS.values()]
    assert [(row["topic"], row["payload"], row["retained"], row["QoS"]) for row in TABLES["MQTT"]] == code


MODELS = [
    model
    for model in (getattr(payloads, name) for name in payloads.__all__)
    if isinstance(model, type) and issubclass(model, payloads.Payload) and model is not payloads.Payload
]


def json_type(schema: dict[str, Any], parts: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return json_type(parts[name], parts) if "enum" in parts[name] else name
    if "anyOf" in schema:
        return " or ".join(json_type(option, parts) for option in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f'"{value}"' for value in schema["enum"])
    return f"[{json_type(schema['items'], parts)}]" if schema["type"] == "array" else str(schema["type"])


REQUEST_MODELS = [
    model
    for model in (getattr(module, name) for module in (requests, responses) for name in module.__all__)
    if isinstance(model, type) and issubclass(model, payloads.Payload)
]


@pytest.mark.parametrize("model", REQUEST_MODELS, ids=lambda model: model.__name__)
def test_request_table_is_the_model(model: type[payloads.Payload]) -> None:
    """What every request and every answer carries stands in the tables of those two."""
    schema = model.model_json_schema()
    parents = [base for base in model.__bases__ if base is not payloads.Payload and issubclass(base, payloads.Payload)]
    common = {name for parent in parents for name in parent.model_fields}
    fields = {name: json_type(part, schema.get("$defs", {})) for name, part in schema["properties"].items() if name not in common}
    told = {row["field"]: row["JSON"] for row in TABLES.get(f"{model.__name__} (JSON)", [])}
    assert told == fields
    assert f"### {model.__name__} (JSON)" in TEXT or not fields


def test_command_table_is_the_code() -> None:
    code = [
        (name.value, topic.request.__name__, topic.response.__name__, "yes" if topic.expires else "no")
        for name, topic in requests.REQUESTS.items()
    ]
    assert [(row["command"], row["request"], row["answer"], row["expires"]) for row in TABLES["Requests"]] == code
    assert [row["reason"] for row in TABLES["Refusals"]] == [reason.value for reason in responses.Reason]
    assert f"{requests.REQUEST_MAX_BYTES} bytes" in TEXT
    assert f"at most {requests.TTL_MAX_S:g} s" in TEXT


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_payload_table_is_the_model(model: type[payloads.Payload]) -> None:
    schema = model.model_json_schema()
    fields = {name: json_type(part, schema.get("$defs", {})) for name, part in schema["properties"].items()}
    assert {row["field"]: row["JSON"] for row in TABLES[f"{model.__name__} (JSON)"]} == fields


def test_links_of_the_text_lead_to_headings() -> None:
    anchors = {re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in TEXT.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#([\w-]+)\)", TEXT)) <= anchors
