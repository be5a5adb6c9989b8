"""The benches of the data path, short: real programs, killed for real. Counts and ratios are judged, never a time."""

import asyncio
import importlib.util

import pytest
from tests.support.brokers import needs_mosquitto

from wavewrap_gateway.bench.data import bench_data
from wavewrap_gateway.bench.report import BenchReport
from wavewrap_gateway.bench.throughput import bench_throughput

pytestmark = [pytest.mark.realtime, needs_mosquitto]

COUNTS = (
    "samples missing",
    "samples not accounted for",
    "events lost",
    "samples that differ between duplicates",
    "samples off the truth",
    "samples that the history lacks",
    "samples of the history that differ",
    "records that end under pressure",
)


def values(report: BenchReport) -> dict[str, float]:
    return {check.name: check.value for check in report.checks}


@pytest.mark.timeout(240)
def test_killing_gateway_and_broker_costs_no_sample_and_no_event() -> None:
    report = asyncio.run(bench_data(kills=2, fades_s=(), quiet_s=2.0))
    found = values(report)
    assert {name: found[name] for name in COUNTS} == dict.fromkeys(COUNTS, 0)
    assert found["gateway killed"] == 2
    assert found["samples delivered"] > 2 * 50 * 5
    assert found["events"] > 4
    assert found["kept in the history"] == found["taken in sessions"] > 2 * 50 * 5
    assert report.details["gateway_ended_by_itself"] >= 0


@pytest.mark.timeout(240)
def test_the_outbox_is_many_times_faster_than_an_ack_queue() -> None:
    found = values(asyncio.run(bench_throughput(messages=2000)))
    assert found["written to the file"] > 50.0
    if importlib.util.find_spec("persistqueue") is not None:
        assert found["outbox / SQLiteAckQueue"] > 5.0
        assert found["whole path / with SQLiteAckQueue"] > 2.0
