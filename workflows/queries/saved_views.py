"""Filters of the run list that a person keeps."""

import uuid
from dataclasses import dataclass

from workflows.models import SavedView


@dataclass(frozen=True, slots=True)
class View:
    """A filter under a name; `query` is what stands in the address."""

    id: uuid.UUID
    name: str
    query: str


def saved_views(user: int) -> list[View]:
    """Return the views of a person by name."""
    rows = SavedView.objects.filter(user=user).order_by("name").values_list("id", "name", "query")
    return [View(*row) for row in rows]
