"""What the tests can be run on, and what each of them leaves as it was."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _log_levels_as_before() -> Iterator[None]:
    """The command line sets log levels for its process, which here is also that of every test to come."""
    loggers = [logging.getLogger(name) for name in ("bumble", "wavewrap_gateway")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--radio",
        choices=("bumble", "platform"),
        default="bumble",
        help="what tests/integration/link runs on: bumble (default), a virtual radio in virtual time; platform, the system's own "
        "Bluetooth, with the wraps of the station that RIG_STATION names (make test-bluez does all that)",
    )
    parser.addoption(
        "--hardware",
        metavar="SERIAL",
        help="run tests/integration/link on the system's own Bluetooth with the real wrap of that serial number; says what to do to it",
    )
