"""One box for everything: what is called just so opens at once, otherwise what begins so is listed by kind."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from workflows import queries
from workflows.queries.search import ACTIONS, ENTRIES, EVENTS, RUNS, WORKFLOWS, Found
from workflows.views.answers import see_other
from workflows.views.guard import signed_in
from workflows.views.permissions import may

LONGEST = 255
SEES = {
    RUNS: "workflows.view_run",
    WORKFLOWS: "workflows.view_workflow",
    ACTIONS: "actions.view_action",
    ENTRIES: "workflows.view_entry",
    EVENTS: "workflows.view_event",
}


@signed_in
@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Open what was meant, or show what begins with the text, of the kinds that the reader may see."""
    text = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST]
    sees = [group for group, permission in SEES.items() if may(request, permission)]
    found = Found()
    if text:
        one = queries.exactly(text, sees)
        if one:
            kind, name = one
            return see_other(reverse(kind, args=[name]))
        found = queries.search(text, sees)
    return render(request, "search/search.html", {"q": text, "found": found, "sees": sees})
