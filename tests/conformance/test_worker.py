"""The same cases and scenarios once more, through the real worker and database."""

import pytest

from tests.conformance import database, features
from tests.conformance.standin import Standin
from tests.conformance.tables import Case, cases

pytestmark = pytest.mark.usefixtures("functions")
CASES = [case for case in cases() if "database" in case.drivers]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_case_holds_through_worker_and_database(case: Case, standin: Standin) -> None:
    database.play(case)


@features.NEEDED
@pytest.mark.parametrize("scenario", features.FOUND, ids=str)
def test_a_scenario_passes_through_worker_and_database(scenario: features.Scenario, standin: Standin) -> None:
    features.perform(scenario, database.execute)
