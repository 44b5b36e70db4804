"""What the housekeeper does for groups of failures, and how often."""

import time
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from workflows.grouping import moving, recording
from workflows.models import FailureCount, FailureGroup
from workflows.sql import Statement

GROUP_SECONDS, TIDY_SECONDS = 1.0, 600.0
REST = 20  # of its own duration: with many open failures it comes round less often
ROUND_SECONDS = 5.0
KEPT_DAYS = 400  # of counts, so that a year can be seen; a group that did not happen since then goes with them
QUIET = timedelta(days=1)
BATCH = 1_000
IGNORED_LONG_ENOUGH = "The time for which it was ignored is over."
ALL_REPAIRED = "No run of it waits for a person any more, and it has not happened for a day."
_NOW = Statement("SELECT clock_timestamp()")
_lasted = [0.0]


def group() -> None:
    """Put new failures into groups, and note which are over."""
    began = time.monotonic()
    try:
        recording.close_over()
        while recording.group_new() == recording.BATCH and time.monotonic() - began < ROUND_SECONDS:
            pass
        _wake()
    finally:
        _lasted[0] = time.monotonic() - began


def group_every() -> float:
    """Return after how many seconds it is done again."""
    return max(GROUP_SECONDS, REST * _lasted[0])


def tidy() -> None:
    """Resolve what has come to rest by itself, count open runs again, and delete what is old."""
    recording.recount(FailureGroup.objects.filter(open_runs__gt=0).values_list("pk", flat=True))
    _rest()
    old = Now() - timedelta(days=KEPT_DAYS)
    counts = FailureCount.objects.filter(begins_at__lt=old).values_list("pk", flat=True)[:BATCH]
    FailureCount.objects.filter(pk__in=list(counts)).delete()
    gone = FailureGroup.objects.filter(last_seen_at__lt=old, open_runs=0, failures__isnull=True)
    FailureGroup.objects.filter(pk__in=list(gone.values_list("pk", flat=True)[:BATCH])).delete()


@transaction.atomic
def _wake() -> None:
    """Open what was ignored until now."""
    rows = FailureGroup.objects.select_for_update(no_key=True).filter(state="ignored", ignored_until__lte=Now())
    for found in rows.order_by("fingerprint")[:BATCH]:
        moving.move(found, "open", at=_NOW.rows()[0][0], actor=moving.SYSTEM, reason=IGNORED_LONG_ENOUGH)


@transaction.atomic
def _rest() -> None:
    """Resolve what is open with nothing to do: whatever comes back opens it again."""
    rows = FailureGroup.objects.select_for_update(no_key=True).filter(state="open", open_runs=0)
    for found in rows.filter(last_seen_at__lt=Now() - QUIET).order_by("fingerprint")[:BATCH]:
        moving.move(found, "resolved", at=_NOW.rows()[0][0], actor=moving.SYSTEM, reason=ALL_REPAIRED)
