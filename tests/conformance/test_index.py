"""The index: each ruling and each row of the language -> the cases that show it. A missing one fails."""

import ast
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from tests.conformance.features import ROOT
from tests.conformance.tables import HERE, Case, cases, load

RULINGS = 35


def rows() -> dict[str, Mapping[str, Any]]:
    """Return everything that is to be covered."""
    listed = load(HERE / "rows.yaml")
    return {**listed["rulings"], **listed["rows"]}


def index() -> Mapping[str, list[Case]]:
    """Return ruling or row -> its cases."""
    found = defaultdict(list)
    for case in cases():
        for name in case.covers:
            found[name].append(case)
    return found


@pytest.mark.parametrize("name", rows())
def test_each_ruling_and_row_has_a_case_that_passes_and_one_that_does_not(name: str) -> None:
    row, found = rows()[name], index()[name]
    shown = {case.passes for case in found}
    assert True in shown or row.get("tests") or row.get("only") == "refused", f"no case shows {name}"
    assert False in shown or row.get("tests"), f"no case shows how {name} is refused or fails"


def test_all_rulings_are_in_the_index() -> None:
    assert list(load(HERE / "rows.yaml")["rulings"]) == [f"R{number}" for number in range(1, RULINGS + 1)]


def test_all_rulings_are_published() -> None:
    documented = re.findall(r"^\| (R\d+) \|", (ROOT / "docs" / "profile.md").read_text(), re.MULTILINE)
    assert documented == list(load(HERE / "rows.yaml")["rulings"])


def test_no_case_covers_what_is_not_in_the_index() -> None:
    assert set(index()) <= set(rows())


@pytest.mark.parametrize(
    ("name", "test"), [(name, test) for name, row in rows().items() for test in row.get("tests", ())]
)
def test_the_tests_that_stand_in_for_cases_exist(name: str, test: str) -> None:
    file, _, function = test.partition("::")
    tree = ast.parse((ROOT / file).read_text())
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
