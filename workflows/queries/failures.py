"""Groups of failures, and to which group a run belongs."""

import uuid
from dataclasses import dataclass

from django.db.models import F

from workflows.models import Failure


@dataclass(frozen=True, slots=True)
class GroupLink:
    """The group that a failed run belongs to; `open` counts its runs that wait for a person, this one among them."""

    fingerprint: str
    open: int


def group_of(run_id: uuid.UUID) -> GroupLink | None:
    """Return the group of the failure on which a run rests; None when it does not, or was not looked at yet."""
    rows = Failure.objects.filter(run=run_id, failed_at=F("run__stopped_at"), run__state="failed")
    found = rows.values_list("group__fingerprint", "group__open_runs").first()
    return GroupLink(*found) if found else None
