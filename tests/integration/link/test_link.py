"""The link cases on whatever radio the command line names; the virtual one, in virtual time, when it names none."""

from collections.abc import Awaitable, Callable

import pytest
from tests.integration.link.cases import CASES
from tests.integration.link.rigs import RunCase, choose_rig
from tests.support.link_rig import LinkRig, NotOnThisRigError


@pytest.fixture(scope="session")
def run_case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunCase:
    """Runs a case on a rig where nothing has happened yet."""
    return choose_rig(request, tmp_path_factory)


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, run_case: RunCase) -> None:
    case: Callable[[LinkRig], Awaitable[None]] = CASES[name]
    try:
        run_case(case)
    except NotOnThisRigError as cause:
        pytest.skip(str(cause))
