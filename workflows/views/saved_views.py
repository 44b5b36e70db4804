"""Filters that a reader keeps: saved from the list of runs, and deleted there."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from workflows import operations
from workflows.operations import NotAllowed, UnknownView
from workflows.views.answers import see_other
from workflows.views.filters import Asked
from workflows.views.guard import needs
from workflows.views.permissions import owner


@needs("workflows.view_run")
@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep the filter that was posted, and lead back to its list."""
    asked = Asked.of_text(request.POST.get("query", ""))
    name = request.POST.get("name", "").replace("\x00", "").strip()
    try:
        operations.save_view(owner(request), name, asked.query)
    except NotAllowed as refused:
        messages.error(request, _("The view was not saved: %(why)s") % {"why": refused.message})
    else:
        messages.success(request, _("The view %(name)s is saved.") % {"name": name})
    return see_other(f"{reverse('runs')}?{asked.query}")


@needs("workflows.view_run")
@require_POST
def delete(request: HttpRequest, view_id: UUID) -> HttpResponse:
    """Delete a view of the reader; those of others are not known."""
    try:
        name = operations.delete_view(owner(request), view_id)
    except UnknownView as unknown:
        raise Http404(unknown.message) from unknown
    messages.success(request, _("The view %(name)s is deleted.") % {"name": name})
    return see_other(reverse("runs"))
