"""Every case of the tables and every scenario of the specification's features, against the pure engine."""

import pytest

from tests.conformance import features, pure
from tests.conformance.standin import Standin
from tests.conformance.tables import Case, cases

CASES = [case for case in cases() if "pure" in case.drivers]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_case_holds_in_the_engine(case: Case, standin: Standin) -> None:
    pure.play(case)


@features.NEEDED
def test_all_scenarios_of_the_kit_are_there() -> None:
    assert len(features.FOUND) == features.KNOWN


@features.NEEDED
@pytest.mark.parametrize("scenario", features.FOUND, ids=str)
def test_a_scenario_passes_in_the_engine(scenario: features.Scenario, standin: Standin) -> None:
    features.perform(scenario, pure.execute)
