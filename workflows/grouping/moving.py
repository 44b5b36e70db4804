"""The one place that changes the state of a group, each time with an event in its audit chain."""

from datetime import datetime
from typing import Any

from audit.recording import record
from workflows.models import FailureGroup

KINDS = {"open": "failure.reopened", "resolved": "failure.resolved", "ignored": "failure.ignored"}
SYSTEM = "system"


def move(
    group: FailureGroup,
    state: str,
    *,
    at: datetime,
    actor: str,
    reason: str,
    until: datetime | None = None,
    count: int | None = None,
    regressed: bool = False,
) -> None:
    """Give a group that is locked another state; `until` and `count` say how long it is ignored."""
    values: dict[str, Any] = {"state": state, "ignored_until": until, "ignored_count": count}
    if state == "open":
        values |= {"settled_at": None, "settled_by": "", "settled_because": ""}
        values |= {"regressed_at": at} if regressed else {}
    else:
        values |= {"settled_at": at, "settled_by": actor, "settled_because": reason, "regressed_at": None}
    data = {"was": group.state, "fingerprint": group.fingerprint, "name": group.name, "count": group.count}
    data |= {"until": until.isoformat()} if until else {}
    data |= {"until_count": count} if count else {}
    for name, value in values.items():
        setattr(group, name, value)
    group.save(update_fields=list(values))
    record(chain=group.pk, kind=KINDS[state], actor=actor, reason=reason, data=data)
