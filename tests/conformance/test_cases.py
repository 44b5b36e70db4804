"""Every case of the tables, against the pure engine and, where it can, through worker and database."""

import pytest

from tests.conformance import database, pure
from tests.conformance.standin import Standin
from tests.conformance.tables import Case, cases

PURE = [case for case in cases() if "pure" in case.drivers]
DATABASE = [case for case in cases() if "database" in case.drivers]


@pytest.mark.parametrize("case", PURE, ids=[case.name for case in PURE])
def test_a_case_holds_in_the_engine(case: Case, standin: Standin) -> None:
    pure.play(case)


@pytest.mark.usefixtures("functions")
@pytest.mark.parametrize("case", DATABASE, ids=[case.name for case in DATABASE])
def test_a_case_holds_through_worker_and_database(case: Case, standin: Standin) -> None:
    database.play(case)
