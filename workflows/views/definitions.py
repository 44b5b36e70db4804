"""What can be done: workflows and actions, with their versions and contracts."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET

from workflows import queries
from workflows.queries import RunFilter
from workflows.views.guard import needs

LATEST = 8


@require_GET
@needs("workflows.view_workflow")
def workflows(request: HttpRequest) -> HttpResponse:
    """List the workflows."""
    return render(request, "definitions/list.html", {"kind": "workflow", "definitions": queries.workflows()})


@require_GET
@needs("workflows.view_workflow")
def workflow(request: HttpRequest, name: str) -> HttpResponse:
    """Show a workflow."""
    return _page(request, "workflow", name, queries.workflow(name))


@require_GET
@needs("actions.view_action")
def actions(request: HttpRequest) -> HttpResponse:
    """List the actions."""
    return render(request, "definitions/list.html", {"kind": "action", "definitions": queries.actions()})


@require_GET
@needs("actions.view_action")
def action(request: HttpRequest, name: str) -> HttpResponse:
    """Show an action."""
    return _page(request, "action", name, queries.action(name))


def _page(request: HttpRequest, kind: str, name: str, definition: Any) -> HttpResponse:
    if definition is None:
        raise Http404(f"There is no {kind} called {name}.")
    context = {
        "kind": kind,
        "definition": definition,
        "runs": queries.runs(RunFilter(name=name, kind=kind), limit=LATEST).items,
        "edit_url": _edit_url(kind, definition.id),
    }
    return render(request, f"definitions/{kind}.html", context)


def _edit_url(kind: str, definition_id: object) -> str:
    app = "workflows" if kind == "workflow" else "actions"
    try:
        return reverse(f"admin:{app}_{kind}_change", args=[definition_id])
    except NoReverseMatch:
        return ""
