"""The specification's own conformance features, against the pure engine and against worker and database."""

import pytest

from tests.conformance import database, features, pure
from tests.conformance.standin import Standin

FOUND = list(features.scenarios())
ABSENT = pytest.mark.skipif(
    not FOUND, reason=f"no conformance features in {features.folder()}: set {features.VARIABLE} to the folder of them"
)
KNOWN = 21


@ABSENT
def test_all_scenarios_of_the_kit_are_there() -> None:
    assert len(FOUND) == KNOWN


@ABSENT
@pytest.mark.parametrize("scenario", FOUND, ids=str)
def test_a_scenario_passes_in_the_engine(scenario: features.Scenario, standin: Standin) -> None:
    features.perform(scenario, pure.execute)


@ABSENT
@pytest.mark.usefixtures("functions")
@pytest.mark.parametrize("scenario", FOUND, ids=str)
def test_a_scenario_passes_through_worker_and_database(scenario: features.Scenario, standin: Standin) -> None:
    features.perform(scenario, database.execute)
