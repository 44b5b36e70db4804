"""Which moments schedules name, where clocks change and after downtime."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows import occurrences
from workflows.language.program import Schedule

HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def cron(rule: str, zone: str = "UTC", missed: str = "latest") -> Schedule:
    return Schedule(kind="cron", cron=rule, timezone=zone, missed=missed)


def every(interval: timedelta, missed: str = "latest") -> Schedule:
    return Schedule(kind="every", interval=interval, missed=missed)


# rule, zone, after, the local times with their offsets
CHANGES = [
    # Berlin goes from 02:00 to 03:00 on 2026-03-29: a time that is skipped becomes the next valid one, once
    ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["03-29 03:00+02", "03-30 02:30+02"]),
    ("0,15,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["03-29 03:00+02", "03-30 02:00+02"]),
    ("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["03-29 03:00+02", "03-30 02:00+02", "03-30 02:30+02"]),
    ("30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["03-29 03:00+02", "03-29 03:30+02", "03-30 02:30+02"]),
    ("0 2-3 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["03-29 03:00+02", "03-30 02:00+02", "03-30 03:00+02"]),
    # ... and back from 03:00 to 02:00 on 2026-10-25: a time that comes twice counts the first time
    ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", ["10-25 02:30+02", "10-26 02:30+01"]),
    ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45Z", ["10-26 02:30+01"]),
    ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10Z", ["10-26 02:30+01"]),
    ("*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", ["10-25 02:00+02", "10-25 02:30+02", "10-26 02:00+01"]),
    ("0 3 * * *", "Europe/Berlin", "2026-10-25T00:00Z", ["10-25 03:00+01", "10-26 03:00+01"]),
    # rules for every hour go by the hours that pass
    ("30 * * * *", "Europe/Berlin", "2026-03-29T00:00Z", ["03-29 01:30+01", "03-29 03:30+02", "03-29 04:30+02"]),
    ("30 * * * *", "Europe/Berlin", "2026-10-24T23:45Z", ["10-25 02:30+02", "10-25 02:30+01", "10-25 03:30+01"]),
    ("*/20 * * * *", "Europe/Berlin", "2026-03-29T00:30Z", ["03-29 01:40+01", "03-29 03:00+02", "03-29 03:20+02"]),
    ("0 */2 * * *", "Europe/Berlin", "2026-10-24T23:00Z", ["10-25 02:00+02", "10-25 04:00+01"]),
    ("0 */2 * * *", "Europe/Berlin", "2026-03-28T23:00Z", ["03-29 03:00+02", "03-29 04:00+02"]),
    # half an hour on Lord Howe, midnight in Beirut, other side of the world
    ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00Z", ["10-04 02:30+11", "10-05 02:15+11"]),
    ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00Z", ["04-05 01:45+11", "04-06 01:45+10:30"]),
    ("0 0 * * *", "Asia/Beirut", "2026-03-28T12:00Z", ["03-29 01:00+03", "03-30 00:00+03"]),
    ("30 2 * * *", "America/New_York", "2026-03-08T00:00Z", ["03-08 03:00-04", "03-09 02:30-04"]),
    ("0 9 * * MON-FRI", "Europe/Berlin", "2026-03-27T12:00Z", ["03-30 09:00+02", "03-31 09:00+02"]),
    # no changes in UTC, leap days, the end of months, Sunday as 0 and 7
    ("30 2 * * *", "UTC", "2026-03-28T12:00Z", ["03-29 02:30+00", "03-30 02:30+00"]),
    ("0 0 29 2 *", "UTC", "2026-03-01T00:00Z", ["2028-02-29 00:00+00", "2032-02-29 00:00+00"]),
    ("0 0 31 * *", "UTC", "2026-01-31T00:00Z", ["03-31 00:00+00", "05-31 00:00+00"]),
    ("0 0 * * 7", "UTC", "2026-11-21T00:00Z", ["11-22 00:00+00", "11-29 00:00+00"]),
    ("0 0 * * 0", "UTC", "2026-11-21T00:00Z", ["11-22 00:00+00", "11-29 00:00+00"]),
]


@pytest.mark.parametrize(("rule", "zone", "after", "expected"), CHANGES)
def test_cron_keeps_local_times_through_changes_of_the_clock(
    rule: str, zone: str, after: str, expected: list[str]
) -> None:
    found = islice(occurrences.moments(cron(rule, zone), at(after)), len(expected))
    wanted = [at((text if text.startswith("20") else f"2026-{text}").replace(" ", "T")) for text in expected]
    assert list(found) == wanted


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([rule for rule, *_ in CHANGES]),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Pacific/Apia"]),
    st.integers(0, 366 * 24 * 3_600),
)
def test_moments_grow_and_do_not_depend_on_where_one_begins(rule: str, zone: str, begin: int) -> None:
    after = at("2026-01-01T00:00Z") + timedelta(seconds=begin)
    found = list(islice(occurrences.moments(cron(rule, zone), after), 5))
    assert all(one < other for one, other in zip([after, *found], found, strict=False))
    for index, moment in enumerate(found[:-1]):
        assert occurrences.following(cron(rule, zone), moment) == found[index + 1]
        assert occurrences.following(cron(rule, zone), moment - timedelta(seconds=1)) == moment


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("0 0 30 2 *", "day-of-month"),
        ("61 * * * *", "minute"),
        ("* * * *", "number of fields"),
        ("0 0 * * FRY", "week"),
    ],
)
def test_cron_texts_that_name_no_moment_are_refused(rule: str, problem: str) -> None:
    assert problem in (occurrences.cron_problem(rule) or "")


def test_cron_texts_that_name_moments_are_not() -> None:
    assert [occurrences.cron_problem(rule) for rule, *_ in CHANGES] == [None] * len(CHANGES)


START = at("2026-11-21T00:00Z")


def test_every_begins_an_interval_after_publication_and_keeps_its_grid() -> None:
    rule = every(HOUR)
    assert occurrences.first(rule, START) == START + HOUR
    assert occurrences.due(rule, START, START + timedelta(seconds=5)).next_at == START + HOUR


def test_after_begins_at_once_and_has_no_next_moment_before_its_run_has_ended() -> None:
    rule = Schedule(kind="after", interval=HOUR)
    assert occurrences.first(rule, START) == START
    assert occurrences.due(rule, START, START + 3 * HOUR) == occurrences.Due(START, (), more=False, next_at=None)


@pytest.mark.parametrize("make", [lambda missed: every(HOUR, missed), lambda missed: cron("0 * * * *", missed=missed)])
@pytest.mark.parametrize(
    ("missed", "late", "start", "skipped", "next_at"),
    [
        # one moment, hardly late; one that is late; three, of which the last is late; three, the last hardly
        ("latest", timedelta(seconds=3), 0, [], 1),
        ("skip", timedelta(seconds=3), 0, [], 1),
        ("all", timedelta(seconds=3), 0, [], 1),
        ("latest", timedelta(minutes=9), 0, [], 1),
        ("skip", timedelta(minutes=9), None, [0], 1),
        ("all", timedelta(minutes=9), 0, [], 1),
        ("latest", 2 * HOUR + timedelta(minutes=9), 2, [0, 1], 3),
        ("skip", 2 * HOUR + timedelta(minutes=9), None, [0, 1, 2], 3),
        ("all", 2 * HOUR + timedelta(minutes=9), 0, [], 1),
        ("skip", 2 * HOUR + timedelta(seconds=59), 2, [0, 1], 3),
    ],
)
def test_what_was_missed_is_made_up_for_as_the_policy_says(
    make: object, missed: str, late: timedelta, start: int | None, skipped: list[int], next_at: int
) -> None:
    due = occurrences.due(make(missed), START, START + late)  # type: ignore[operator]
    assert due == occurrences.Due(
        None if start is None else START + start * HOUR,
        tuple(START + n * HOUR for n in skipped),
        more=False,
        next_at=START + next_at * HOUR,
    )


@pytest.mark.parametrize("make", [lambda missed: every(HOUR, missed), lambda missed: cron("0 * * * *", missed=missed)])
def test_all_makes_up_for_the_last_hundred_only(make: object) -> None:
    now = START + 250 * HOUR + timedelta(seconds=1)
    due = occurrences.due(make("all"), START, now)  # type: ignore[operator]
    assert (due.start, due.more, due.next_at) == (START + 151 * HOUR, True, START + 152 * HOUR)
    last = occurrences.due(make("latest"), START, now)  # type: ignore[operator]
    assert (last.start, last.more, len(last.skipped)) == (START + 250 * HOUR, True, 99)


@pytest.mark.parametrize("rule", [every(timedelta(seconds=1)), cron("* * * * *"), cron("* * * * *", "Europe/Berlin")])
def test_a_year_of_downtime_is_decided_at_once(rule: Schedule) -> None:
    before = datetime.now(UTC)
    due = occurrences.due(rule, START, START + timedelta(days=366))
    assert datetime.now(UTC) - before < timedelta(seconds=1)
    assert due.start == START + timedelta(days=366)
    assert due.more


def test_a_rare_moment_is_found_far_back() -> None:
    due = occurrences.due(cron("0 0 29 2 *"), at("2024-02-29T00:00Z"), at("2026-11-21T00:00Z"))
    assert (due.start, due.skipped, due.more) == (at("2024-02-29T00:00Z"), (), False)
    assert due.next_at == at("2028-02-29T00:00Z")


def test_a_pause_leaves_out_what_passed_and_keeps_the_grid() -> None:
    rule = every(HOUR)
    assert occurrences.resumed(rule, START, START + 2.5 * HOUR) == START + 3 * HOUR
    assert occurrences.resumed(rule, START + 9 * HOUR, START) == START + 9 * HOUR
    assert occurrences.resumed(cron("0 * * * *"), START, START + 2.5 * HOUR) == START + 3 * HOUR
