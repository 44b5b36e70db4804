"""The requests at the endpoints for webhooks: each with what became of it."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from workflows import queries
from workflows.queries import DeliveryRow, Looked
from workflows.views import listing
from workflows.views.guard import needs
from workflows.views.listing import Asked, Criterion

OUTCOMES = {
    "accepted": gettext_lazy("accepted"),
    "replayed": gettext_lazy("known already"),
    "refused": gettext_lazy("refused"),
}
TONES = {"accepted": "succeeded", "replayed": "skipped", "refused": "failed"}
CRITERIA = {
    "endpoint": Criterion(gettext_lazy("endpoint")),
    "outcome": Criterion(gettext_lazy("outcome"), choices=OUTCOMES),
    "since": Criterion(gettext_lazy("received"), choices=listing.WINDOWS),
    "from": Criterion(gettext_lazy("from"), read=listing.moment),
    "until": Criterion(gettext_lazy("until"), read=listing.moment),
}
NOTHING: Looked[DeliveryRow] = Looked([], None, None)


@require_GET
@needs("workflows.view_delivery")
def deliveries(request: HttpRequest) -> HttpResponse:
    """Show the deliveries that fit, newest first."""
    asked = Asked.of(request.GET, CRITERIA)

    def read(**where: Any) -> Looked[DeliveryRow]:
        chosen = {name: asked.read.get(name, "") for name in ("endpoint", "outcome")}
        return queries.deliveries(**chosen, **asked.window(timezone.now()), **where)

    context = listing.page(request, asked, read, NOTHING)
    context |= {"endpoints": queries.endpoints(), "outcomes": OUTCOMES, "tones": TONES}
    return render(request, "deliveries/list.html", context, status=400 if context["problems"] else 200)


@require_GET
@needs("workflows.view_delivery")
def delivery(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
    """Show one delivery with its endpoint."""
    found = queries.delivery(delivery_id)
    if found is None:
        raise Http404(_("There is no delivery %s.") % delivery_id)
    context = {"delivery": found, "outcomes": OUTCOMES, "tones": TONES}
    return render(request, "deliveries/delivery.html", context)
