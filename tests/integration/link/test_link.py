"""The link cases on whatever radio the command line names; the virtual one, in virtual time, when it names none."""

import pytest
from tests.integration.link import pairing_cases, trouble_cases
from tests.integration.link.rigs import Case, RunCase, choose_rig
from tests.support.link_rig import NotOnThisRigError


@pytest.fixture(scope="session")
def run_case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunCase:
    """Runs a case on a rig where nothing has happened yet."""
    return choose_rig(request.config, tmp_path_factory)


@pytest.mark.parametrize("name", pairing_cases.CASES)
def test_pairing(name: str, run_case: RunCase) -> None:
    _run(run_case, pairing_cases.CASES[name], paired=False)


@pytest.mark.parametrize("name", trouble_cases.CASES)
def test_trouble(name: str, run_case: RunCase) -> None:
    _run(run_case, trouble_cases.CASES[name], paired=True)


def _run(run_case: RunCase, case: Case, *, paired: bool) -> None:
    try:
        run_case(case, paired)
    except NotOnThisRigError as cause:
        pytest.skip(str(cause))
