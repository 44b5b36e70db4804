"""What can be done: workflows and actions, with their versions, how they do, and what they are used for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from actions.sensitive import mask
from workflows import queries
from workflows.queries import Page, Performance, RunFilter
from workflows.views import graph, listing, policies, uses
from workflows.views.guard import needs
from workflows.views.listing import Asked, Criterion
from workflows.views.permissions import may
from workflows.views.schema_rows import rows

LATEST, CALLS = 8, 20
APPS = {"workflow": "workflows", "action": "actions"}
SEARCH = {"q": Criterion(_("search"))}
STATUS = {
    "status": Criterion(
        _("status"),
        choices={
            "succeeded": _("succeeded"),
            "failed": _("failed"),
            "open": _("open"),
            "other": _("skipped, cancelled"),
        },
    ),
    "version": Criterion(_("version")),
}
NOTHING: Page[Any] = Page([], None, None)
DAY, WEEK = timedelta(hours=24), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of a list: the definition, how it did in the last 24 hours, and when it was used last."""

    row: Any
    day: Performance | None
    last: Any


@require_GET
@needs("workflows.view_workflow")
def workflows(request: HttpRequest) -> HttpResponse:
    """List the workflows."""
    return _list(request, "workflow", queries.workflow_page, queries.last_used_workflows)


@require_GET
@needs("workflows.view_workflow")
def workflow(request: HttpRequest, name: str, version: str = "") -> HttpResponse:
    """Show a workflow, as it is in the version that a start would use or in another."""
    found = _found("workflow", name, queries.workflow(name, version or request.GET.get("version", "")))
    context = {
        "graph": graph.of_version(found.document, found.lock, request) if found.document else None,
        "graph_of": found,
        "uses": uses.of(found.lock),
        "runs": queries.runs(RunFilter(name=name, kind="workflow"), limit=LATEST).items
        if _may_see_runs(request)
        else [],
        "schedule": queries.schedule(name) if may(request, "workflows.view_schedule") else None,
        "inputs": rows(found.input_schema),
    }
    return _page(request, "workflow", found, context)


@require_GET
@needs("actions.view_action")
def actions(request: HttpRequest) -> HttpResponse:
    """List the actions."""
    return _list(request, "action", queries.action_page, queries.last_used_actions)


@require_GET
@needs("actions.view_action")
def action(request: HttpRequest, name: str, version: str = "") -> HttpResponse:
    """Show an action: its contract, what it is used by, and its calls with what went in and came out."""
    asked = Asked.of(request.GET, STATUS)
    found = _found("action", name, queries.action(name, version or asked.values.get("version", "")))
    status = asked.values.get("status", "")

    def read(**where: Any) -> Page[queries.InvocationRow]:
        if not _may_see_runs(request):
            return NOTHING
        return queries.invocations(name, status=status, **{**where, "limit": CALLS})

    context = {
        **listing.page(request, asked, read, NOTHING),
        "statuses": STATUS["status"].choices,
        "inputs": rows(found.input_schema),
        "outputs": rows(found.output_schema),
        "config": mask({}, found.config),
        "facts": policies.facts(found),
        "used_by": queries.used_by(name) if may(request, "workflows.view_workflow") else [],
    }
    return _page(request, "action", found, context, status=400 if context["problems"] else 200)


def _may_see_runs(request: HttpRequest) -> bool:
    return may(request, "workflows.view_run")


def _found(kind: str, name: str, definition: Any) -> Any:
    if definition is None:
        raise Http404(f"There is no {kind} called {name}, or not in this version.")
    return definition


def _list(
    request: HttpRequest,
    kind: str,
    read: Callable[..., Page[Any]],
    used: Callable[[list[str]], Mapping[str, Any]],
) -> HttpResponse:
    asked = Asked.of(request.GET, SEARCH)
    context = listing.page(request, asked, lambda **where: read(**asked.read, **where), NOTHING)
    names = [row.name for row in context["page"].items]
    day = queries.performance(kind, since=timezone.now() - DAY)
    last = used(names)
    context |= {
        "kind": kind,
        "rows": [Listed(row, day.get(row.name), last.get(row.name)) for row in context["page"].items],
        "new_url": _new_url(request, kind),
    }
    return render(request, "definitions/list.html", context, status=400 if context["problems"] else 200)


def _page(
    request: HttpRequest, kind: str, definition: Any, context: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    now = timezone.now()
    shared = {
        "kind": kind,
        "definition": definition,
        "not_current": definition.version != definition.current,
        "performance": [
            (title, queries.performance(kind, since=now - window).get(definition.name))
            for title, window in ((_("24 hours"), DAY), (_("7 days"), WEEK))
        ],
        "edit_url": reverse(f"admin:{APPS[kind]}_{kind}_change", args=[definition.id]),
        "compare": _compared(definition),
    }
    return render(request, f"definitions/{kind}.html", {**shared, **context}, status=status)


def _compared(definition: Any) -> tuple[str, str] | None:
    """Return the two versions that a comparison begins with: the shown one, and the one before it or the current."""
    versions = [each.version for each in definition.versions]
    if len(versions) < 2:
        return None
    if definition.version != definition.current:
        return definition.version, definition.current
    behind = versions.index(definition.version) + 1
    return (versions[behind], definition.version) if behind < len(versions) else (definition.version, versions[0])


def _new_url(request: HttpRequest, kind: str) -> str:
    """Return the address of the admin's form for a new one, empty for those who may not save it."""
    app = APPS[kind]
    allowed = request.user.is_staff and may(request, f"{app}.add_{kind}version")
    return reverse(f"admin:{app}_{kind}version_add") if allowed else ""


def contract_text(definition: Any) -> str:
    """Return everything that a version of an action says, as JSON in a fixed order; secrets in it are masked."""
    names = (
        "kind", "input_schema", "output_schema", "retry", "timeout_ms", "effect", "transactional", "on_crash", "queue",
        "undo", "notify",
    )  # fmt: skip
    said = {name: getattr(definition, name) for name in names} | {"config": mask({}, definition.config)}
    return json.dumps(said, indent=2, ensure_ascii=False, sort_keys=True)
