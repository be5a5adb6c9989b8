"""How the tests are spread over three processes, and what they can be run on."""

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
    """A module stays together, for it may play its story once; what runs on the real clock, and mostly waits, goes in two lines."""
    modules = {item: str(Path(item.nodeid.partition("::")[0])) for item in items}
    real = sorted({module for item, module in modules.items() if item.get_closest_marker("realtime")})
    for item, module in modules.items():
        group = f"realtime-{real.index(module) % 2}" if item.get_closest_marker("realtime") else module
        item.add_marker(pytest.mark.xdist_group(group))
