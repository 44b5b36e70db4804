"""Identifiers sort as they were made, also those of one millisecond."""

import uuid

import pytest

from dotdo_site.lib.ids import uuid7


def test_identifiers_of_one_millisecond_sort_as_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    start = 1_700_000_000_000_000_000
    clock = iter(range(start, start + 1_000_000, 500))
    monkeypatch.setattr("time.time_ns", lambda: next(clock))
    made = [uuid7() for _ in range(2_000)]
    assert made == sorted(made)
    assert len({one.int >> 80 for one in made}) == 1


def test_an_identifier_is_a_uuid_of_version_7_with_the_time_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_123_999_999)
    made = uuid7()
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == 1_700_000_000_123
    assert made.int >> 64 & 0xFFF == 4095
    assert uuid7() != made
