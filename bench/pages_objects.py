"""What only the product itself can make of a million runs: groups of failures, a batch that goes on, saved views."""

from django.contrib.auth.models import Group, User
from django.utils import timezone

from workflows import operations
from workflows.grouping import recording
from workflows.models import Batch, SavedView
from workflows.operations.batches import Choice
from workflows.queries import RunFilter

VIEWS = 10


def make() -> User:
    """Make what is missing; return the person who asks for the pages, to whom nothing is refused."""
    person, _ = User.objects.get_or_create(username="bench")
    person.groups.set(Group.objects.all())
    while recording.group_new():
        pass
    if not Batch.objects.filter(state="running").exists():
        _batch()
    for number in range(SavedView.objects.filter(user=person).count(), VIEWS):
        operations.save_view(person.pk, f"Flow {number}", f"name=bench-flow-{number}&status=failed")
    return person


def _batch() -> None:
    """Begin to resolve the failed calls of actions: nobody works it off here."""
    choice = Choice(chosen=RunFilter(label="failed", kind="action"), words={"status": "failed", "kind": "action"})
    operations.start_batch(
        "resolve", choice, actor="user:bench", reason="they are old", shown=20_000, as_of=timezone.now()
    )
