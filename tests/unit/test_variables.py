"""A misspelt variable is named; the list of known ones is the one that the code reads and the documents explain."""

import re
from pathlib import Path

import pytest

from dotdo_site import checks, variables
from dotdo_site.launch import prepare
from dotdo_site.launch.checkout import ROOT

READ = re.compile(r"(?:environ(?:ment)?(?:\.get\(|\.pop\(|\[)|env_\w+\(|getenv\()\s*[\"'](DOTDO_[A-Z_]+)[\"']")
PACKAGES = ("dotdo_site", "workflows", "actions", "audit")
CHOSEN_BY_MAKE_UP = {"DOTDO_DEMO_HTTP_PORT", "DOTDO_DEMO_SMTP_PORT"}
OF_THE_TESTS = {"DOTDO_CONFORMANCE_FEATURES", "DOTDO_TEST_POSTGRES", "DOTDO_TEST_VAR"}


def test_the_known_variables_are_exactly_those_that_the_code_reads() -> None:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    read = {name for path in [*files, ROOT / "tests" / "conftest.py"] for name in READ.findall(path.read_text())}
    assert read == variables.KNOWN


def test_every_known_variable_is_explained() -> None:
    explained = set(re.findall(r"DOTDO_[A-Z_]+", (ROOT / "docs" / "operating.md").read_text()))
    assert explained >= variables.KNOWN - CHOSEN_BY_MAKE_UP - OF_THE_TESTS
    assert explained <= variables.KNOWN


def test_a_misspelt_variable_is_named_with_the_nearest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOTDO_WORKRES", "3")
    monkeypatch.setenv("DOTDO_ZZZZ_QQQQ", "3")
    near, far = checks.check_environment()
    assert (near.id, near.msg, near.hint) == (
        "dotdo.W022",
        "DOTDO_WORKRES is set, but dotdo reads no such variable.",
        "Did you mean DOTDO_WORKERS?",
    )
    assert "docs/operating.md" in str(far.hint)


def test_a_misspelt_variable_is_named_at_every_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOTDO_VAR", str(tmp_path))
    prepare.note_prepared({"DOTDO_WORKRES": "3"})
    assert not prepare.is_prepared({"DOTDO_WORKRES": "3"})
