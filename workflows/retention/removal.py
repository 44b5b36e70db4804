"""Delete the rows of runs, those of runs first: the database lets go of what belongs to a run once the run is gone.

Foreign keys are checked at the end, each with an index. What only mentions a run stays: the trail, the log of the
endpoints, and the moments of schedules, which keep when their run ended.
"""

import uuid
from collections.abc import Sequence

from dotdo_site.lib import signs
from workflows.sql import Statement

RUNS = "= ANY(:runs::uuid[])"
_MENTIONS = (
    f"""UPDATE schedule_fire f SET run_id = NULL, ended_at = coalesce(r.finished_at, r.resolved_at, r.stopped_at)
        FROM run r WHERE r.id = f.run_id AND f.run_id {RUNS}""",  # noqa: S608 - constants
    f"UPDATE delivery SET run_id = NULL WHERE run_id {RUNS}",  # noqa: S608
    f"UPDATE delivery d SET event_id = NULL FROM event e WHERE e.run_id {RUNS} AND d.event_id = e.id",  # noqa: S608
)
_RUNS = f"DELETE FROM run WHERE id {RUNS}"  # noqa: S608
_PARTS = (
    f"DELETE FROM notification_mute WHERE run {RUNS}",  # noqa: S608
    # what is sent again says nothing about them
    f"""UPDATE notification m SET content = '{{}}' FROM notification_item i JOIN notice n ON n.id = i.notice_id
        WHERE n.run {RUNS} AND m.id = i.notification_id AND m.content <> '{{}}'""",  # noqa: S608
    f"DELETE FROM notification_item i USING notice n WHERE n.run {RUNS} AND i.notice_id = n.id",  # noqa: S608
    f"DELETE FROM notice WHERE run {RUNS}",  # noqa: S608
    f"DELETE FROM failure WHERE run_id {RUNS}",  # noqa: S608
    f"DELETE FROM message WHERE run_id {RUNS}",  # noqa: S608
    f"DELETE FROM event WHERE run_id {RUNS}",  # noqa: S608
    f"DELETE FROM undo WHERE run_id {RUNS}",  # noqa: S608
    f"DELETE FROM subscription u USING step s WHERE s.run_id {RUNS} AND u.step_id = s.id",  # noqa: S608
    f"DELETE FROM attempt a USING step s WHERE s.run_id {RUNS} AND a.step_id = s.id",  # noqa: S608
    f"DELETE FROM payload WHERE run_id {RUNS}",  # noqa: S608
    f"DELETE FROM idempotency_key WHERE run_id {RUNS}",  # noqa: S608
    f"DELETE FROM step WHERE run_id {RUNS}",  # noqa: S608
    f"DELETE FROM branch WHERE run_id {RUNS}",  # noqa: S608
)
_CHECK = "SET CONSTRAINTS ALL IMMEDIATE"  # what still refers to them is found here, not by the commit
_ALL = [Statement(text) for text in (*_MENTIONS, _RUNS, *_PARTS, _CHECK)]


def remove(runs: Sequence[uuid.UUID]) -> None:
    """Delete runs that are locked, over and in nobody's hands, with all that belongs to them.

    In the caller's transaction; the database refuses runs that are not over.
    """
    for statement in _ALL:
        signs.give()
        statement.rows({"runs": list(runs)})
