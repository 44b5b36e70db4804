"""An export of a time begins and ends when it was said, however that was written."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.integration.audit.trails import chain, ndjson

pytestmark = pytest.mark.usefixtures("database")
YEAR = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def years() -> list[uuid.UUID]:
    """Write chains of one link: before a year, at its beginning, in it."""
    return [chain(1, at=YEAR + timedelta(seconds=away)) for away in (-1, 0, 1)]


def taken(path: Path) -> set[str]:
    return {line["chain"] for line in ndjson(path.read_text()) if line["type"] == "link" and line["seq"] == 0}


@pytest.mark.parametrize(
    "text", ["2024-01-01", "2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01:00", "2024-01-01 00:00"]
)
def test_a_day_or_a_moment_that_is_named_limits_the_export(tmp_path: Path, years: list[uuid.UUID], text: str) -> None:
    call_command("export_audit", to=tmp_path / "since", since=text, until="2024-01-02")
    assert taken(tmp_path / "since") == {str(name) for name in years[1:]}
    call_command("export_audit", to=tmp_path / "until", until=text)
    assert taken(tmp_path / "until") == {str(years[0])}
    assert ndjson((tmp_path / "until").read_text())[0]["wanted"] == {"until": "2024-01-01T00:00:00.000000Z"}


@pytest.mark.parametrize("text", ["2024-13-01", "2024-02-30T00:00:00Z", "yesterday", "1", " "])
def test_a_time_that_is_none_is_refused_and_not_left_out(tmp_path: Path, text: str) -> None:
    for option in ("since", "until"):
        with pytest.raises(CommandError, match="is no time"):
            call_command("export_audit", to=tmp_path / "none", **{option: text})
    assert not (tmp_path / "none").exists()
