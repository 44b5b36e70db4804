"""Two versions of a workflow or an action, line by line."""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from workflows import queries
from workflows.views import diffs
from workflows.views.definitions import contract_text
from workflows.views.guard import needs

READ = {"workflow": queries.workflow, "action": queries.action}


@require_GET
@needs("workflows.view_workflow")
def workflow(request: HttpRequest, name: str, old: str, new: str) -> HttpResponse:
    """Show what a version of a workflow changed against another."""
    return _page(request, "workflow", name, old, new)


@require_GET
@needs("actions.view_action")
def action(request: HttpRequest, name: str, old: str, new: str) -> HttpResponse:
    """Show what a version of an action changed against another."""
    return _page(request, "action", name, old, new)


@require_GET
@needs("workflows.view_workflow")
def workflow_choice(request: HttpRequest, name: str) -> HttpResponse:
    """Lead from the form that chooses two versions to their difference."""
    return _chosen(request, "workflow", name)


@require_GET
@needs("actions.view_action")
def action_choice(request: HttpRequest, name: str) -> HttpResponse:
    """Lead from the form that chooses two versions to their difference."""
    return _chosen(request, "action", name)


def _chosen(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """Lead to the difference. Raises Http404 for versions that there are not."""
    old, new = request.GET.get("old", ""), request.GET.get("new", "")
    found = READ[kind](name)
    known = {each.version for each in found.versions} if found else set()
    if old not in known or new not in known:
        raise Http404(f"There is no {kind} called {name}, or not in these versions.")
    return HttpResponseRedirect(reverse(f"{kind}-diff", args=[name, old, new]))


def _page(request: HttpRequest, kind: str, name: str, old: str, new: str) -> HttpResponse:
    before, after = READ[kind](name, old), READ[kind](name, new)
    if before is None or after is None:
        raise Http404(f"There is no {kind} called {name}, or not in these versions.")
    lines = diffs.of_texts(*_texts(kind, before, after))
    context = {
        "kind": kind,
        "definition": after,
        "old": before.version,
        "new": after.version,
        "lines": lines,
        "counts": [sum(1 for line in lines or () if line.kind == each) for each in ("added", "removed")],
        "back": reverse(kind, args=[name]),
        "choice": reverse(f"{kind}-diffs", args=[name]),
    }
    return render(request, "definitions/diff.html", context)


def _texts(kind: str, before: Any, after: Any) -> tuple[list[str], list[str]]:
    """Return the sources as they were written; documents in two notations, and contracts, as JSON."""
    if kind == "action":
        return contract_text(before).splitlines(), contract_text(after).splitlines()
    if _is_json(before.source) == _is_json(after.source):
        return before.source.splitlines(), after.source.splitlines()
    return _lines(before.document), _lines(after.document)


def _is_json(source: str) -> bool:
    return source.lstrip().startswith("{")


def _lines(document: Any) -> list[str]:
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True).splitlines()
