"""What becomes of the runs that a step has started when nobody waits for them any more."""

import uuid
from collections.abc import Sequence

from workflows.operations.commands import end
from workflows.operations.locking import lock_trees, open_children


def cancel_open(steps: Sequence[uuid.UUID], *, actor: str, reason: str) -> list[uuid.UUID]:
    """Cancel the open runs that these steps have started, and all below; return which.

    In the transaction that holds the run of the steps: runs are locked from the top down.
    """
    members = lock_trees(open_children(steps))
    end(members, actor, reason)
    return [member.run.id for member in members]
