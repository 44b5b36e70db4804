"""When a schedule starts runs: arithmetic on nominal moments, the times that its rule names. Pure: no clock, no rows.

A cron rule names local times. One that names hours keeps them: where the clock is set forward, a time that is skipped
becomes the next valid one, once; where it is set back, a time that comes twice counts the first time. A rule for every
hour goes by the hours that really pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from workflows.language.program import Schedule

MOST_MISSED = 100
LATE = timedelta(seconds=60)
AHEAD = timedelta(hours=3)  # a clock is set back by less; what is found again is passed over
MINUTE = timedelta(minutes=1)
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Due:
    """What follows from a moment that has come: the one to start for, those left out, and the moment after.

    `skipped` are the newest of those left out; `more` tells that there were others before them.
    """

    start: datetime | None
    skipped: tuple[datetime, ...]
    more: bool
    next_at: datetime | None


def cron_problem(rule: str) -> str | None:
    """Return what is wrong with a cron text, or None."""
    try:
        found = next(CronSim(rule, datetime(2000, 1, 1)), None)  # noqa: DTZ001 - a local time
    except CronSimError as error:
        return f"the cron text is wrong: {str(error).lower()}"
    return None if found else "the cron text names no moment that ever comes"


def cron_words(rule: str) -> str:
    """Return a cron text in words, such as `at 06:00 on Monday through Friday`."""
    words: str = CronSim(rule, datetime(2000, 1, 1)).explain()  # noqa: DTZ001 - a local time
    return words[:1].lower() + words[1:]


def first(schedule: Schedule, now: datetime) -> datetime | None:
    """Return the first moment of a schedule that begins now; None when it starts by events, or when none comes."""
    if schedule.kind == "after":
        return now
    return following(schedule, now)


def following(schedule: Schedule, moment: datetime) -> datetime | None:
    """Return the next moment after one; that of `after` is known only when the run has ended."""
    return next(moments(schedule, moment), None)


def moments(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Yield the moments after one, in UTC."""
    if schedule.cron is not None:
        yield from _cron(schedule.cron, ZoneInfo(schedule.timezone), after)
    elif schedule.kind == "every" and schedule.interval:
        while True:
            after += schedule.interval
            yield after


def resumed(schedule: Schedule, moment: datetime | None, now: datetime) -> datetime | None:
    """Return the moment at which a paused schedule goes on; what passed meanwhile is left out."""
    if schedule.kind == "every" and schedule.interval and moment is not None:
        return moment + max(0, -((moment - now) // schedule.interval)) * schedule.interval
    return first(schedule, now)


def due(schedule: Schedule, moment: datetime, now: datetime) -> Due:
    """Decide about a moment that has come, by the schedule's policy for those that were missed.

    `latest` starts for the last one only, `skip` only if that is less than a minute late, `all` for each of the last
    hundred, one at a time.
    """
    if schedule.kind == "after":
        return Due(moment, (), more=False, next_at=None)
    newest, more = recent(schedule, moment, now)
    if schedule.missed == "all":
        after = newest[1] if len(newest) > 1 else following(schedule, newest[0])
        return Due(newest[0], (), more, after)
    last = newest[-1]
    if schedule.missed == "skip" and now - last >= LATE:
        return Due(None, newest, more, following(schedule, last))
    return Due(last, newest[:-1], more, following(schedule, last))


def recent(schedule: Schedule, moment: datetime, now: datetime) -> tuple[tuple[datetime, ...], bool]:
    """Return the last hundred moments from `moment` to now, oldest first, and whether there were others before."""
    if schedule.kind == "every" and schedule.interval:
        steps = (now - moment) // schedule.interval
        older = max(0, steps + 1 - MOST_MISSED)
        found = [moment + n * schedule.interval for n in range(older, steps + 1)]
        return tuple(found), older > 0
    span = timedelta(hours=1)
    while True:
        begin = max(moment, now - span)
        found = list(takewhile(lambda each: each <= now, moments(schedule, begin - INSTANT)))
        if begin == moment or len(found) > MOST_MISSED:
            found = found if begin > moment else [moment, *(each for each in found if each > moment)]
            return tuple(found[-MOST_MISSED:]), begin > moment or len(found) > MOST_MISSED
        span *= 4


def _cron(rule: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    begin = (after - AHEAD).astimezone(zone)
    fixed = rule.split()[1] != "*"
    for found in CronSim(rule, begin.replace(tzinfo=None) if fixed else begin):
        moment = _valid(found, zone) if fixed else found.astimezone(UTC)
        if moment > after:
            yield moment
            after = moment


def _valid(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the time in UTC of a local one: the first of two, the next valid one for one that does not exist."""
    while True:
        moment = local.replace(tzinfo=zone).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == local:
            return moment
        local += MINUTE
