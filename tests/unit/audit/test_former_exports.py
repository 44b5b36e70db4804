"""Exports of releases whose links did not say whose they are, and whose tombstones came first, still verify."""

from pathlib import Path

import pytest

from audit import offline

FORMER = Path(__file__).parent / "former"
KEY = (FORMER / "key").read_text().strip()


def check(path: Path) -> int:
    return offline.main([str(path), "--seals", str(FORMER / "anchor.ndjson"), "--public-key", KEY])


@pytest.mark.parametrize("name", ["all", "chain", "part", "run", "shared"])
def test_an_export_of_a_former_release_still_verifies(name: str) -> None:
    assert check(FORMER / f"{name}.ndjson") == 0


def test_a_tombstone_in_it_is_held_against_the_event_of_its_pruning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (FORMER / "all.ndjson").read_text()
    (tmp_path / "forged").write_text(text.replace('"first_at":"2024', '"first_at":"2023'))
    assert check(tmp_path / "forged") == 1
    assert "its tombstones are not those that link 0 of" in capsys.readouterr().err
