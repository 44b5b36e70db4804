"""All schedules: when each starts next, what became of the last moments, and what may be done about it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from workflows import queries
from workflows.queries import Page, ScheduleBoardRow
from workflows.views import listing
from workflows.views.guard import needs
from workflows.views.listing import Asked, Criterion

CRITERIA = {
    "name": Criterion(_("workflow")),
    "state": Criterion(_("state"), choices={"active": _("active"), "paused": _("paused")}),
}
NOTHING: Page[ScheduleBoardRow] = Page([], None, None)


@require_GET
@needs("workflows.view_schedule")
def schedules(request: HttpRequest) -> HttpResponse:
    """List the schedules by the name of their workflow."""
    asked = Asked.of(request.GET, CRITERIA)

    def read(**where: object) -> Page[ScheduleBoardRow]:
        return queries.schedule_board(**asked.read, **where)  # type: ignore[arg-type]  # the keys of CRITERIA

    context = listing.page(request, asked, read, NOTHING)
    return render(request, "schedules/list.html", context, status=400 if context["problems"] else 200)
