"""How the tests are spread over two processes, and what they can be run on."""

from pathlib import Path

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A module stays together, for it may play its story once; all that runs on the real clock goes one after the other."""
    for item in items:
        group = "realtime" if item.get_closest_marker("realtime") else str(Path(item.nodeid.partition("::")[0]))
        item.add_marker(pytest.mark.xdist_group(group))
