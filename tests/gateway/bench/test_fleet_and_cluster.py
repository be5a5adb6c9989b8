"""The benches of many gateways and of a replicated broker, short: that they count, and what they count. Times are not judged here."""

import asyncio

import pytest
from tests.support.brokers import needs_mosquitto

from wavewrap_gateway.bench.cluster import bench_cluster
from wavewrap_gateway.bench.fleet import bench_fleet
from wavewrap_gateway.bench.nats import find_nats_server
from wavewrap_gateway.bench.report import BenchReport

pytestmark = pytest.mark.realtime


def value(report: BenchReport, name: str) -> float:
    (check,) = [check for check in report.checks if check.name == name]
    return check.value


@needs_mosquitto
def test_a_fleet_loses_nothing() -> None:
    report = asyncio.run(bench_fleet(gateways=20, for_s=2.0))
    assert report.details["telemetry"] == 20 * 10 * 2
    assert value(report, "telemetry lost") == 0
    assert value(report, "given up") == 0
    assert report.details["listener"]["distinct"] == 400


@pytest.mark.skipif(find_nats_server() is None, reason="nats-server is not installed: apt-get install nats-server")
def test_a_killed_node_of_three_loses_nothing() -> None:
    report = asyncio.run(bench_cluster(kills=1, steady_s=1.5))
    assert len(report.details["gaps_s"]) == 1
    assert value(report, "sent") > 100
    assert value(report, "lost") == 0
    assert value(report, "given up by the gateway") == 0
