"""A run on a real daemon is long and may be cut off: it says how each case went at once, and at the end what the cases measured."""

import sys

import pytest
from tests.integration.link.rigs import NOTES


def _is_real(config: pytest.Config) -> bool:
    return config.getoption("--radio") != "bumble" or config.getoption("--hardware") is not None


class _Teller:
    """Written past the capture, a line a case."""

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.failed:
            what = report.longreprtext.splitlines() if report.failed else []
            cause = next((line for line in what if line.startswith("E ")), "")
            print(f"{report.outcome} {report.duration:6.1f} s  {report.nodeid}  {cause}", file=sys.__stderr__, flush=True)


def pytest_configure(config: pytest.Config) -> None:
    if _is_real(config):
        config.pluginmanager.register(_Teller())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _is_real(config):
        terminalreporter.section("measured")
        for note in config.stash.get(NOTES, []):
            terminalreporter.line(note)
