"""The link cases on the virtual radio: real bleak API and bumble hosts on both sides, virtual time."""

from pathlib import Path

import pytest
from tests.integration.link.cases import CASES
from tests.support.link_rig import open_virtual_rig

from wavewrap_sim.virtual_time import run_virtual


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with open_virtual_rig(tmp_path) as rig:
            await CASES[name](rig)

    run_virtual(work())
