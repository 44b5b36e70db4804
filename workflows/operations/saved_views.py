"""Keep a filter of the run list under a name, for one person. Nothing is recorded: it changes no run."""

import uuid

from django.db import IntegrityError, transaction

from workflows.models import SavedView
from workflows.operations.errors import NotAllowed, UnknownView

MOST_VIEWS = 50
LONGEST_NAME, LONGEST_QUERY = 60, 2_000


def save_view(user: int, name: str, query: str) -> uuid.UUID:
    """Keep a filter; return its id. Raises NotAllowed."""
    if not 0 < len(name) <= LONGEST_NAME:
        raise NotAllowed(f"Give the view a name of up to {LONGEST_NAME} characters.")
    if not 0 < len(query) <= LONGEST_QUERY:
        raise NotAllowed("A view keeps a filter: choose one first.")
    if SavedView.objects.filter(user=user).count() >= MOST_VIEWS:
        raise NotAllowed(f"You have {MOST_VIEWS} views: delete one first.")
    try:
        with transaction.atomic():
            return SavedView.objects.create(user_id=user, name=name, query=query).pk
    except IntegrityError:
        raise NotAllowed(f"You have a view called {name} already.") from None


def delete_view(user: int, view: uuid.UUID) -> str:
    """Delete a view of this person; return its name. Raises UnknownView."""
    row = SavedView.objects.filter(user=user, pk=view).first()
    if row is None:
        raise UnknownView(view)
    row.delete()
    return row.name
