"""What must be true of a run in the database, whatever happened to it (guarantees §3.3)."""

import json
import uuid
from collections import Counter

from audit.models import AuditEvent
from audit.verify import verify
from workflows.models import Branch, Message, Run, Step, Subscription
from workflows.states import RUN_FINAL

OPEN = ("ready", "running", "waiting", "held")


def assert_sound(run_id: uuid.UUID) -> None:
    """Raise AssertionError with everything that is wrong with the rows of a run."""
    run = Run.objects.get(pk=run_id)
    wrong = [*_chains(run_id), *_ends(run_id), *_messages(run_id)]
    if run.state in RUN_FINAL:
        wrong += _left_open(run_id)
    assert not wrong, f"run {run_id} is {run.state}: " + "; ".join(wrong)


def _chains(run_id: uuid.UUID) -> list[str]:
    """The chain of each branch is whole, and its head is the one that the branch knows."""
    wrong = []
    for branch in Branch.objects.filter(run=run_id):
        found = verify(branch.id)
        wrong += [f"link {broken.seq} of branch {broken.chain}: {broken.why}" for broken in found.broken]
        if found.heads.get(branch.id) != (branch.audit_seq, bytes(branch.audit_head)):
            wrong.append(f"the head of branch {branch.id} is not its last link")
    return wrong


def _ends(run_id: uuid.UUID) -> list[str]:
    """Each step that succeeded says so once."""
    told = Counter(
        json.loads(event.data)["step"] for event in AuditEvent.objects.filter(run=run_id, kind="step.succeeded")
    )
    done = set(Step.objects.filter(run=run_id, state__in=("succeeded", "skipped")).values_list("key", flat=True))
    wrong = [f"{key} ended {count} times" for key, count in told.items() if count != 1]
    return wrong + [f"{key} is told to have ended, its row says otherwise" for key in told.keys() - done]


def _messages(run_id: uuid.UUID) -> list[str]:
    twice = Counter(Message.objects.filter(run=run_id, kind="event").values_list("event_id", "step_id"))
    return [f"event {event} was handed out {count} times" for (event, _), count in twice.items() if count > 1]


def _left_open(run_id: uuid.UUID) -> list[str]:
    steps = Step.objects.filter(run=run_id, state__in=OPEN).values_list("key", "state")
    wrong = [f"step {key} is {state}" for key, state in steps]
    wrong += [f"branch {branch} is open" for branch in Branch.objects.filter(run=run_id, state="open")]
    left = Subscription.objects.filter(step__run=run_id).count()
    return wrong + ([f"{left} subscriptions are left"] if left else [])
