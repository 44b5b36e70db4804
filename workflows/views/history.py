"""What an entry of the datastore held before, and the difference between two versions."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from workflows import queries
from workflows.queries import Page, VersionOfEntry
from workflows.views import datastore, diffs, listing
from workflows.views.guard import needs
from workflows.views.listing import Asked, Criterion

CRITERIA = {
    "namespace": Criterion(gettext_lazy("namespace"), exact=True),
    "key": Criterion(gettext_lazy("key"), exact=True),
    "version": Criterion(gettext_lazy("version"), read=int),
    "with": Criterion(gettext_lazy("compared with"), read=int),
}
NOTHING: Page[VersionOfEntry] = Page([], None, None)


@require_GET
@needs("workflows.view_entry")
def history(request: HttpRequest) -> HttpResponse:
    """List what an entry held, newest first; `version` shows one, with its difference to the one before or `with`."""
    namespace, key = datastore.named(request)
    asked = Asked.of(request.GET, CRITERIA)

    def read(**where: Any) -> Page[VersionOfEntry]:
        return queries.entry_history(namespace, key, **where)

    context = listing.page(request, asked, read, NOTHING)
    there = queries.entry(namespace, key) is not None
    if not context["problems"] and not there and not context["page"].items and context["first"]:
        raise Http404(_("There is no entry %s.") % f"{namespace}/{key}")
    context |= {"namespace": namespace, "key": key, "there": there, **_compared(asked, namespace, key)}
    return render(request, "datastore/history.html", context, status=400 if context["problems"] else 200)


def _compared(asked: Asked, namespace: str, key: str) -> dict[str, Any]:
    """Return the version that was asked for, the one that it is compared with, and their difference."""
    if asked.problems or "version" not in asked.read:
        return {}
    shown = queries.entry_version(namespace, key, asked.read["version"])
    if shown is None:
        raise Http404(_("This version is not kept any more."))
    if "with" in asked.read:
        other = queries.entry_version(namespace, key, asked.read["with"])
    else:
        other = queries.entry_version_before(namespace, key, shown.id)
    comparable = other is not None and not other.deleted and not shown.deleted
    lines = diffs.lines(other.value, shown.value) if other is not None and comparable else None
    return {"shown": shown, "other": other, "lines": lines, "comparable": comparable}
