"""How the tests are spread over two processes, and what they can be run on."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A module stays together, for it may play its story once; all that runs on the real clock goes one after the other."""
    for item in items:
        group = "realtime" if item.get_closest_marker("realtime") else str(Path(item.nodeid.partition("::")[0]))
        item.add_marker(pytest.mark.xdist_group(group))
