"""What can be done: workflows and actions, with their versions and contracts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from workflows import queries
from workflows.queries import RunFilter
from workflows.views.guard import needs
from workflows.views.permissions import may

LATEST = 8
APPS = {"workflow": "workflows", "action": "actions"}


@require_GET
@needs("workflows.view_workflow")
def workflows(request: HttpRequest) -> HttpResponse:
    """List the workflows."""
    return _list(request, "workflow", queries.workflows(), queries.last_used_workflows())


@require_GET
@needs("workflows.view_workflow")
def workflow(request: HttpRequest, name: str) -> HttpResponse:
    """Show a workflow."""
    newest = queries.runs(RunFilter(name=name, kind="workflow"), limit=LATEST).items
    schedule = queries.schedule(name) if may(request, "workflows.view_schedule") else None
    return _page(request, "workflow", name, queries.workflow(name), runs=newest, schedule=schedule)


@require_GET
@needs("actions.view_action")
def actions(request: HttpRequest) -> HttpResponse:
    """List the actions."""
    return _list(request, "action", queries.actions(), queries.last_used_actions())


@require_GET
@needs("actions.view_action")
def action(request: HttpRequest, name: str) -> HttpResponse:
    """Show an action."""
    newest = queries.invocations(name, limit=LATEST)
    return _page(request, "action", name, queries.action(name), invocations=newest)


def _list(request: HttpRequest, kind: str, definitions: Sequence[Any], used: Mapping[str, datetime]) -> HttpResponse:
    context = {
        "kind": kind,
        "rows": [(each, used.get(each.name)) for each in definitions],
        "new_url": _new_url(request, kind),
    }
    return render(request, "definitions/list.html", context)


def _page(request: HttpRequest, kind: str, name: str, definition: Any, **newest: Any) -> HttpResponse:
    if definition is None:
        raise Http404(f"There is no {kind} called {name}.")
    context = {
        "kind": kind,
        "definition": definition,
        "edit_url": reverse(f"admin:{APPS[kind]}_{kind}_change", args=[definition.id]),
        **newest,
    }
    return render(request, f"definitions/{kind}.html", context)


def _new_url(request: HttpRequest, kind: str) -> str:
    """Return the address of the admin's form for a new one, empty for those who may not save it."""
    app = APPS[kind]
    allowed = request.user.is_staff and may(request, f"{app}.add_{kind}version")
    return reverse(f"admin:{app}_{kind}version_add") if allowed else ""
