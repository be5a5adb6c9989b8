"""From a message to a panel: Telegraf's script in Telegraf's interpreter, its rows in a real PostgreSQL, the dashboard's queries on them.

Telegraf itself is in no registry that the check reaches, so what it does around the script is taken from its documentation: a table for
each name, a column for each tag and field, ``time`` without a zone, in UTC.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import starlark_go
from hypothesis import HealthCheck, given, settings
from psycopg import sql
from tests.support.deploy_files import STACK
from tests.support.postgres import missing_postgres, run_postgres
from tests.support.wire_strategies import payload

from wavewrap_protocol.payloads import BridgeEvent, BridgeHealth, Payload, Telemetry, WrapEvent, WrapState

SCRIPT = (STACK / "telegraf" / "rows.star").read_text(encoding="utf-8")
NOW_NS = 1_764_000_000_123_456_789
START_S = 1_764_000_000.25

# What Telegraf predeclares; only apply() calls them.
PRELUDE = "json = None\ndef deepcopy(metric, track = False):\n    return metric\n"

SQL_TYPES: dict[type, str] = {str: "text", int: "bigint", float: "double precision", bool: "boolean"}
"""As Telegraf's PostgreSQL output maps them."""

MODELS: list[tuple[str, type[Payload]]] = [
    ("wrap_telemetry", Telemetry),
    ("wrap_state", WrapState),
    ("event", WrapEvent),
    ("event", BridgeEvent),
    ("bridge_health", BridgeHealth),
]


@pytest.fixture(scope="module")
def starlark() -> starlark_go.Starlark:
    interpreter = starlark_go.Starlark()
    load = 'load("json.star", "json")\n'
    assert load in SCRIPT
    interpreter.exec(PRELUDE + SCRIPT.replace(load, ""), filename="rows.star")
    return interpreter


def take(starlark: starlark_go.Starlark, name: str, message: dict[str, Any]) -> list[dict[str, Any]]:
    starlark.set(message=message, now_ns=NOW_NS)
    rows: list[dict[str, Any]] = starlark.eval(f"TAKE[{name!r}](message, now_ns)")
    return rows


def telemetry(wrap: str = "left", seq: int = 100, samples: int = 10, **other: Any) -> dict[str, Any]:
    columns = [[chamber * 10.0 + 0.01 * (seq + i) for i in range(samples)] for chamber in (1, 2, 3, 4)]
    given: dict[str, Any] = {"gateway": "attic", "wrap": wrap, "boot_id": 7, "seq": seq, "tick": 10 * seq, "period_ms": 20}
    return given | {"replay": False, "unix_s": START_S, "pressure_mmhg": columns} | other


def test_every_sample_is_a_row_with_its_own_time(starlark: starlark_go.Starlark) -> None:
    rows = take(starlark, "wrap_telemetry", telemetry())
    assert len(rows) == 40
    assert {row["name"] for row in rows} == {"wrap_telemetry"}
    third = [row for row in rows if row["fields"]["seq"] == 102]
    assert [row["tags"] for row in third] == [{"gateway": "attic", "wrap": "left", "chamber": str(chamber)} for chamber in (1, 2, 3, 4)]
    assert [row["fields"]["mmhg"] for row in third] == [11.02, 21.02, 31.02, 41.02]
    assert {row["time_ns"] for row in third} == {1_764_000_000_290_000_000}
    assert {row["time_ns"] for row in take(starlark, "wrap_telemetry", telemetry(unix_s=None, samples=1))} == {NOW_NS}


@pytest.mark.parametrize(("name", "model"), MODELS)
def test_whatever_a_gateway_can_publish_is_taken_apart(name: str, model: type[Payload], starlark: starlark_go.Starlark) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
    @given(payload(model))
    def check(value: Any) -> None:
        message = json.loads(value.model_dump_json())
        if isinstance(message.get("unix_s"), float):
            message["unix_s"] = abs(message["unix_s"]) % 4e9  # a clock
        rows = take(starlark, name, message)
        samples = sum(len(column) for column in message["pressure_mmhg"]) if model is Telemetry else 1
        assert len([row for row in rows if row["name"] == name]) == samples
        for row in rows:
            # A column keeps the type that its first row gave it, and Telegraf has no null.
            assert {key: type(part) for key, part in row["fields"].items()} == FIELD_TYPES[row["name"]]
            assert all(type(part) is str for part in row["tags"].values())

    check()


FIELD_TYPES: dict[str, dict[str, type]] = {
    "wrap_telemetry": {"boot_id": int, "seq": int, "replay": bool, "mmhg": float},
    "wrap_state": dict.fromkeys(("link", "device_state", "fault", "program", "session_state"), str)
    | {"battery_pct": int, "clock_uncertainty_ms": float, "elapsed_s": float},
    "wrap_target": {"mmhg": float},
    "event": {"seq": int, "kind": str, "text": str},
    "bridge_health": dict.fromkeys(("uptime_s", "lateness_p50_ms", "lateness_p99_ms", "lateness_max_ms"), float)
    | dict.fromkeys(("mqtt_published", "mqtt_acknowledged", "mqtt_dropped"), int),
}


class Metric:
    """What Telegraf hands a script, by its documentation."""

    def __init__(self, name: str, fields: dict[str, Any]) -> None:
        self.name, self.fields, self.tags, self.time = name, fields, {"host": "x"}, NOW_NS


def test_apply_makes_tracked_copies_and_nothing_else() -> None:
    """``apply`` alone is run as Python, which its lines are too: Telegraf's objects exist nowhere else."""
    tracked: list[bool] = []

    def deepcopy(metric: Metric, track: bool = False) -> Metric:
        tracked.append(track)
        copy = Metric(metric.name, dict(metric.fields))
        copy.tags = dict(metric.tags)
        return copy

    names: dict[str, Any] = {"load": lambda *_: None, "json": type("Json", (), {"decode": staticmethod(json.loads)}), "deepcopy": deepcopy}
    exec(compile(SCRIPT, "rows.star", "exec"), names)
    metric = Metric("wrap_telemetry", {"value": json.dumps(telemetry(samples=2))})
    made = names["apply"](metric)
    assert tracked == [True] * 8
    assert metric not in made
    assert [set(one.fields) for one in made] == [{"boot_id", "seq", "replay", "mmhg"}] * 8
    assert made[-1].tags == {"gateway": "attic", "wrap": "left", "chamber": "4"}
    assert made[-1].time - made[0].time == 20_000_000


def state(wrap: str, second: int) -> dict[str, Any]:
    clock = {"offset_s": 1.0, "uncertainty_ms": 0.4, "skew_ppm": 3.0, "age_s": 1.0}
    given = {"gateway": "attic", "id": wrap, "side": wrap, "boot_id": 7, "link": "ready", "device_state": "running", "fault": None}
    return given | {"target_mmhg": [40.0, 0.0], "battery_pct": 80 - second, "clock": clock, "session": None}


@pytest.fixture(scope="module")
def database(starlark: starlark_go.Starlark) -> Iterator[psycopg.Connection[Any]]:
    reason = missing_postgres()
    if reason is not None:
        pytest.skip(reason)
    rows = [
        row for wrap in ("left", "right") for batch in range(6) for row in take(starlark, "wrap_telemetry", telemetry(wrap, 10 * batch))
    ]
    rows += rows[:40]  # QoS 1: one message came twice
    rows += [row for wrap in ("left", "right") for second in range(3) for row in take(starlark, "wrap_state", state(wrap, second))]
    bridge = {"gateway": "attic", "seq": 1, "unix_s": START_S, "kind": "start", "text": "started"}
    rows += take(starlark, "event", bridge) * 2 + take(starlark, "event", {**bridge, "wrap": "left", "kind": "finding", "seq": 2})
    lateness = {"p50": 0.1, "p99": 0.5, "max": 1.0}
    health = {"gateway": "attic", "uptime_s": 5, "host_lateness_ms": lateness, "mqtt": {"published": 3, "acknowledged": 3, "dropped": 0}}
    rows += take(starlark, "bridge_health", health)
    with run_postgres() as server, psycopg.connect(server.make_database("stack"), autocommit=True) as connection:
        for name in {row["name"] for row in rows}:
            create_table(connection, name, next(row for row in rows if row["name"] == name))
        with connection.transaction():
            for row in rows:
                insert(connection, row)
        yield connection


def create_table(connection: psycopg.Connection[Any], name: str, row: dict[str, Any]) -> None:
    columns = [sql.SQL("time timestamp without time zone"), *(sql.SQL("{} text").format(sql.Identifier(tag)) for tag in row["tags"])]
    columns += [sql.SQL("{} {}").format(sql.Identifier(key), sql.SQL(SQL_TYPES[type(part)])) for key, part in row["fields"].items()]
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(name), sql.SQL(", ").join(columns)))


def insert(connection: psycopg.Connection[Any], row: dict[str, Any]) -> None:
    values = {**row["tags"], **row["fields"]}
    names = sql.SQL(", ").join(map(sql.Identifier, values))
    places = sql.SQL(", ").join(sql.Placeholder() * len(values))
    statement = sql.SQL("INSERT INTO {} (time, {}) VALUES (to_timestamp(%s) AT TIME ZONE 'UTC', {})").format(
        sql.Identifier(row["name"]), names, places
    )
    connection.execute(statement, [row["time_ns"] / 1e9, *values.values()])


def ask(connection: psycopg.Connection[Any], title: str, target: int = 0) -> list[Any]:
    """The rows of a panel, with Grafana's macros as its PostgreSQL source writes them out."""
    dashboard = json.loads((STACK / "grafana" / "dashboards" / "wavewrap.json").read_text(encoding="utf-8"))
    (panel,) = [panel for panel in dashboard["panels"] if panel["title"] == title]
    query = panel["targets"][target]["rawSql"].replace("$__interval", "'1s'").replace("$wrap", "'left','right'")
    query = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN '2025-11-24T15:00:00Z' AND '2025-11-24T17:00:00Z'", query)
    query = re.sub(r"\$__timeGroup\((\w+), '(\d+)s'\)", r"floor(extract(epoch from \1)/\2)*\2", query)
    assert "$" not in query
    return connection.execute(query).fetchall()


def test_the_panels_show_what_was_published(database: psycopg.Connection[Any]) -> None:
    pressures = ask(database, "Pressure of every chamber")
    assert {name for _time, name, _value in pressures} == {f"{wrap} {chamber}" for wrap in ("left", "right") for chamber in (1, 2, 3, 4)}
    assert all(int(name[-1]) * 10.0 <= float(value) < int(name[-1]) * 10.0 + 1.0 for _time, name, value in pressures)
    assert {(name, value) for _time, name, value in ask(database, "Pressure of every chamber", 1)} == {
        (f"{wrap} {chamber} wanted", value) for wrap in ("left", "right") for chamber, value in ((1, 40.0), (2, 0.0))
    }
    now = [(*row[:6], float(row[6])) for row in ask(database, "Wraps now")]
    assert now == [(wrap, wrap, "ready", "running", "", 80, 0.4) for wrap in ("left", "right")]
    assert len(ask(database, "Battery")) == 6
    assert [row[1:] for row in ask(database, "How late the gateway woke up")] == [("attic", 0.5, 1.0)]
    assert [row[1:4] for row in ask(database, "Events")] == [("attic", "bridge", "start"), ("attic", "left", "finding")]


def test_a_message_that_came_twice_counts_once(database: psycopg.Connection[Any]) -> None:
    rates = ask(database, "Samples a second that came live and in replays")
    assert sum(float(value) for _time, name, value in rates if name == "left live") == pytest.approx(6.0)


def test_every_panel_has_an_answer(database: psycopg.Connection[Any]) -> None:
    dashboard = json.loads((STACK / "grafana" / "dashboards" / "wavewrap.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in range(len(panel["targets"])):
            assert ask(database, panel["title"], target), panel["title"]
    (variable,) = dashboard["templating"]["list"]
    assert database.execute(variable["query"]).fetchall() == [("left",), ("right",)]
