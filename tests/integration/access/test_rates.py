"""Two processes share one count; a flood costs almost no writes."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dotdo_site.access.models import RateWindow
from dotdo_site.access.rates import Rate

pytestmark = pytest.mark.django_db
NOON = 1_800_000_000.0 - 1_800_000_000.0 % 60


def test_two_processes_share_one_limit() -> None:
    first, second = Rate(90), Rate(90)
    allowed = sum((first, second)[n % 2].take("key:1", NOON + 1) is None for n in range(200))
    assert 90 - first.batch < allowed <= 90


def test_a_flood_over_the_limit_writes_nothing_more() -> None:
    rate = Rate(30)
    for _ in range(40):
        rate.take("key:1", NOON)
    with CaptureQueriesContext(connection) as queries:
        assert all(rate.take("key:1", NOON + 5) is not None for _ in range(1_000))
    assert len(queries) == 0


def test_allowed_requests_write_once_per_batch() -> None:
    rate = Rate(1_200)
    rate.take("key:1", NOON)
    with CaptureQueriesContext(connection) as queries:
        for _ in range(400):
            assert rate.take("key:1", NOON) is None
    assert len(queries) == 400 / rate.batch


def test_the_refused_caller_is_told_when_the_next_window_begins() -> None:
    rate = Rate(1)
    assert rate.take("key:1", NOON + 15) is None
    assert rate.take("key:1", NOON + 15) == 45
    assert rate.take("key:1", NOON + 60) is None


def test_subjects_do_not_share_a_limit() -> None:
    rate = Rate(1)
    assert rate.take("key:1", NOON) is None
    assert rate.take("key:2", NOON) is None


def test_a_process_whose_clock_lags_cannot_reopen_a_full_window() -> None:
    ahead, behind = Rate(2), Rate(2)
    assert [ahead.take("key:1", NOON + 60) is None for _ in range(3)] == [True, True, False]
    assert behind.take("key:1", NOON + 59) is not None


def test_rows_of_subjects_that_went_away_are_removed() -> None:
    Rate(5).take("ip:old", NOON)
    Rate(5).take("ip:new", NOON + 7_200)
    assert list(RateWindow.objects.values_list("subject", flat=True)) == ["ip:new"]


def test_memory_is_bounded_when_every_request_comes_from_somewhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dotdo_site.access.rates.SUBJECTS_IN_MEMORY", 10)
    rate = Rate(5)
    for n in range(30):
        rate.take(f"ip:{n}", NOON + n * 60)
    assert len(rate._shares) <= 11
