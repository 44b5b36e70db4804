"""Put failed runs into their groups: each time a run comes to rest as failed is one row and counts once.

The database refuses a second row for the same stop, and only rows that were written are counted, in the transaction
that wrote them; so two housekeepers, or one that dies, count nothing twice and lose nothing.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from actions.models import ActionVersion
from workflows import payloads
from workflows.grouping import moving
from workflows.grouping.fingerprint import LONGEST_CODE, UNREADABLE, fingerprint, normalised
from workflows.models import Failure, FailureGroup, Payload, Run, Step, WorkflowVersion
from workflows.queries.labels import UNRESOLVED
from workflows.sql import Statement

BATCH = 500
MOST_MESSAGES = 200  # groups of one step and code: what says something else each time belongs together
NEW_VERSION = timedelta(days=1)
AGAIN = "It happened again."
OFTEN_ENOUGH = "It happened as often as it was to be ignored."
# Runs are held so that none is deleted before its row is there; one that goes on meanwhile is another stop next time.
_INSERT = Statement(
    """
    INSERT INTO failure (run_id, group_id, failed_at, version, open)
    SELECT r.id, f.grp, f.at, f.version, true
    FROM unnest(:runs::uuid[], :groups::uuid[], :ats::timestamptz[], :versions::text[]) AS f (run, grp, at, version)
    JOIN run r ON r.id = f.run AND r.state = 'failed' AND r.stopped_at = f.at
    ORDER BY r.id FOR KEY SHARE OF r
    ON CONFLICT (run_id, failed_at) DO NOTHING
    RETURNING group_id, failed_at, version
    """
)
_COUNT = Statement(
    """
    INSERT INTO failure_count AS old (group_id, begins_at, version, count)
    SELECT f.grp, date_trunc('hour', f.at, 'UTC'), f.version, count(*)
    FROM unnest(:groups::uuid[], :ats::timestamptz[], :versions::text[]) AS f (grp, at, version)
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (group_id, begins_at, version) DO UPDATE SET count = old.count + excluded.count
    """
)
# Whoever locks several groups does it by fingerprint. Counted is by another statement, which sees what was waited for.
_LOCK = Statement("SELECT id FROM failure_group WHERE id = ANY(:groups::uuid[]) ORDER BY fingerprint FOR NO KEY UPDATE")
_OPEN = Statement(
    """
    UPDATE failure_group g SET open_runs = (SELECT count(*) FROM failure f WHERE f.group_id = g.id AND f.open)
    WHERE g.id = ANY(:groups::uuid[])
    """
)
_OVER = Statement(
    """
    UPDATE failure f SET open = false FROM run r
    WHERE f.open AND r.id = f.run_id AND (r.state <> 'failed' OR r.resolved_at IS NOT NULL OR r.reason = 'undone'
        OR r.stopped_at IS DISTINCT FROM f.failed_at)
    RETURNING f.group_id
    """
)
_NOW = Statement("SELECT clock_timestamp()")


@dataclass(frozen=True, slots=True)
class Stop:
    """A run that rests as failed since a moment, and what it failed with, without what varies."""

    run: Run
    at: datetime
    version: str
    published_at: datetime | None
    step: str
    code: str
    message: str

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Return where it failed with what."""
        return self.run.kind, self.run.name, self.step, self.code

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of its group."""
        return fingerprint(*self.place, self.message)


def group_new() -> int:
    """Put runs that failed since the last time into groups, at most 500; return how many there were."""
    with transaction.atomic():
        stops = _stops(_new_runs())
        if stops:
            _record(stops)
    return len(stops)


def close_over() -> int:
    """Note which failures nobody has to look at any more; return how many."""
    with transaction.atomic():
        groups = [row[0] for row in _OVER.rows()]
        if groups:
            recount(set(groups))
    return len(groups)


@transaction.atomic
def recount(groups: Iterable[uuid.UUID]) -> None:
    """Count the open runs of groups again."""
    wanted = {"groups": list(groups)}
    _LOCK.rows(wanted)
    _OPEN.rows(wanted)


def _new_runs() -> list[Run]:
    known = Failure.objects.filter(run=OuterRef("pk"), failed_at=OuterRef("stopped_at"))
    rows = Run.objects.filter(UNRESOLVED, ~Exists(known), stopped_at__isnull=False)
    return list(
        rows.select_related("workflow_version", "action_version")
        .defer("input", "output", "context")
        .order_by("-id")[:BATCH]
    )


def _stops(runs: Sequence[Run]) -> list[Stop]:
    """Read what runs failed with, in two queries however many they are."""
    steps: dict[uuid.UUID, Step] = {}
    rows = Step.objects.filter(run__in=runs, state="failed", caught=False)
    for step in rows.order_by("finished_at", "id").only("run", "name", "error"):
        steps[step.run_id] = step
    errors = [run.error for run in runs] + [step.error for step in steps.values()]
    texts = _texts(runs, payloads.digests(*errors))
    return [_stop(run, steps.get(run.pk), texts.get(run.pk, {})) for run in runs]


def _texts(runs: Sequence[Run], wanted: set[str]) -> Mapping[uuid.UUID, Mapping[str, Any]]:
    found: dict[uuid.UUID, dict[str, Any]] = defaultdict(dict)
    if wanted:
        rows = Payload.objects.filter(run__in=runs, digest__in=wanted).values_list("run", "digest", "value")
        for run, digest, value in rows:
            found[run][digest] = value
    return found


def _stop(run: Run, step: Step | None, texts: Mapping[str, Any]) -> Stop:
    code, message = _said(step.error if step and step.error else run.error, texts)
    version: WorkflowVersion | ActionVersion | None = run.workflow_version or run.action_version
    assert run.stopped_at is not None  # noqa: S101 - it was asked for
    return Stop(
        run=run,
        at=run.stopped_at,
        version=version.version if version else "",
        published_at=version.published_at if version else None,
        step=step.name if step else "",
        code=code,
        message=message,
    )


def _said(error: Any, texts: Mapping[str, Any]) -> tuple[str, str]:
    """Return code and normalised message of an error as stored."""
    try:
        found = payloads.resolve(error, texts)
    except KeyError:
        return UNREADABLE, ""
    if not isinstance(found, Mapping):
        return UNREADABLE, ""
    code = str(found.get("code") or found.get("title") or "fault").replace("\x00", "")
    message = str(found.get("message") or found.get("detail") or found.get("title") or "")
    return code[:LONGEST_CODE], normalised(message)


def _record(stops: Sequence[Stop]) -> None:
    groups = _groups(stops)
    values = {
        "runs": [stop.run.pk for stop in stops],
        "groups": [groups[stop.fingerprint].pk for stop in stops],
        "ats": [stop.at for stop in stops],
        "versions": [stop.version for stop in stops],
    }
    written = _INSERT.rows(values)
    if not written:
        return
    ids, ats, versions = (list(column) for column in zip(*written, strict=True))
    _COUNT.rows({"groups": ids, "ats": ats, "versions": versions})
    counts, now = Counter(ids), _NOW.rows()[0][0]
    for pk, group in {group.pk: group for group in groups.values()}.items():
        if counts[pk]:
            latest = max((at, version) for found, at, version in written if found == pk)
            _happened(group, counts[pk], *latest, now)
    recount(set(ids))


def _groups(stops: Sequence[Stop]) -> dict[str, FailureGroup]:
    """Make the groups that are missing and lock all; return them by the fingerprint of the stops."""
    wanted = {stop.fingerprint: stop for stop in sorted(stops, key=lambda stop: stop.at, reverse=True)}
    known = set(FailureGroup.objects.filter(fingerprint__in=wanted).values_list("fingerprint", flat=True))
    instead: dict[str, str] = {}
    missing: dict[str, FailureGroup] = {}
    sizes: Counter[tuple[str, str, str, str]] = Counter()
    for key, stop in wanted.items():
        if key in known:
            continue
        sizes[stop.place] = sizes[stop.place] or _size(stop.place)
        message = stop.message if sizes[stop.place] < MOST_MESSAGES else ""
        sizes[stop.place] += 1
        made = _new_group(stop, message)
        instead[key] = made.fingerprint
        missing[made.fingerprint] = made
    FailureGroup.objects.bulk_create(
        sorted(missing.values(), key=lambda group: group.fingerprint), ignore_conflicts=True
    )
    keys = {key: instead.get(key, key) for key in wanted}
    rows = FailureGroup.objects.select_for_update(no_key=True).filter(fingerprint__in=keys.values())
    found = {group.fingerprint: group for group in rows.order_by("fingerprint")}
    for key, stop in wanted.items():
        _learn(found[keys[key]], stop)
    return {key: found[keys[key]] for key in wanted}


def _size(place: tuple[str, str, str, str]) -> int:
    kind, name, step, code = place
    rows = FailureGroup.objects.filter(kind=kind, name=name, step=step, code=code)
    return rows.values("pk")[:MOST_MESSAGES].count()


def _new_group(stop: Stop, message: str) -> FailureGroup:
    return FailureGroup(
        fingerprint=fingerprint(*stop.place, message),
        kind=stop.run.kind,
        name=stop.run.name,
        step=stop.step,
        code=stop.code,
        message=message,
        first_seen_at=stop.at,
        last_seen_at=stop.at,
        first_version=stop.version,
        last_version=stop.version,
        since_version=_is_new_version(stop),
    )


def _is_new_version(stop: Stop) -> bool:
    """Tell whether it failed soon after its version was published, which was not the first one."""
    if stop.published_at is None or not timedelta(0) <= stop.at - stop.published_at <= NEW_VERSION:
        return False
    if stop.run.workflow_version is not None:
        workflow = stop.run.workflow_version.workflow_id
        return WorkflowVersion.objects.filter(workflow=workflow, published_at__lt=stop.published_at).exists()
    assert stop.run.action_version is not None  # noqa: S101 - a run has one of the two
    action = stop.run.action_version.action_id
    return ActionVersion.objects.filter(action=action, published_at__lt=stop.published_at).exists()


def _learn(group: FailureGroup, stop: Stop) -> None:
    """Give a group back the message that was forgotten when its runs were erased."""
    if not group.message and stop.message and group.fingerprint == stop.fingerprint:
        group.message = stop.message
        group.save(update_fields=["message"])


def _happened(group: FailureGroup, times: int, at: datetime, version: str, now: datetime) -> None:
    """Count what was written for a group, and open it again if that is due."""
    group.count += times
    group.first_seen_at = min(group.first_seen_at, at)
    if at >= group.last_seen_at:
        group.last_seen_at, group.last_version = at, version
    group.save(update_fields=["count", "first_seen_at", "last_seen_at", "last_version"])
    if group.state == "resolved" and group.settled_at is not None and at > group.settled_at:
        regressed = group.settled_by != moving.SYSTEM
        moving.move(group, "open", at=now, actor=moving.SYSTEM, reason=AGAIN, regressed=regressed)
    elif group.state == "ignored" and group.ignored_count is not None and group.count >= group.ignored_count:
        moving.move(group, "open", at=now, actor=moving.SYSTEM, reason=OFTEN_ENOUGH)
