"""A run on a real daemon is long and may be cut off: it says how each case went at once, and at the end what the cases measured."""

import pytest
from tests.integration.link.rigs import NOTES


def _is_real(config: pytest.Config) -> bool:
    return config.getoption("--radio") != "bumble" or config.getoption("--hardware") is not None


class _Teller:
    """A line a case, past the capture."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.failed:
            what = report.longreprtext.splitlines() if report.failed else []
            cause = next((line for line in what if line.startswith("E ")), "")
            line = f"\n{report.outcome} {report.duration:6.1f} s  {report.nodeid}  {cause}"
            writer = self._config.get_terminal_writer()
            writer.write(line, flush=True)


def pytest_configure(config: pytest.Config) -> None:
    if _is_real(config):
        config.pluginmanager.register(_Teller(config))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _is_real(config):
        terminalreporter.section("measured")
        for note in config.stash.get(NOTES, []):
            terminalreporter.line(note)
