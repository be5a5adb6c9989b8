"""What the tests can be run on."""

import pytest


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
