"""The first page: is everything all right, what needs a person, what is going on."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from workflows import queries
from workflows.queries import RunFilter
from workflows.views import live
from workflows.views.guard import needs

STALE_WORKER_SECONDS = 60
NUMBERS = ("running", "pending", "waiting", "retrying", "dead_letter", "succeeded")
FAILED = ("dead_letter", "timed_out", "poisoned", "quarantined", "undo_failed")
SHOWN = 6
TEMPLATES = {
    "summary": "overview/_summary.html",
    "attention": "overview/_attention.html",
    "latest": "overview/_latest.html",
}


@require_GET
@needs("workflows.view_run")
def overview(request: HttpRequest) -> HttpResponse:
    """Show the first page."""
    built = _build(request, queries.list_token(RunFilter()))
    return render(request, "overview/overview.html", {"fragments": built.fragments, **built.context})


@require_GET
@needs("workflows.view_run")
def overview_live(request: HttpRequest) -> HttpResponse:
    """Answer the poller of the first page."""
    token = queries.list_token(RunFilter())
    return live.answer(request, token, lambda: _build(request, token))


def _build(request: HttpRequest, token: str) -> live.Live:
    rendered = live.fragments(request, TEMPLATES, _facts())
    return live.Live(rendered, reverse("overview-live"), token, live.LIST_SECONDS, {})


def _facts() -> dict[str, Any]:
    counts = queries.status_counts(RunFilter())
    return {
        "numbers": [(label, counts.get(label, 0)) for label in NUMBERS],
        "failed": queries.unresolved(SHOWN),
        "dead": sum(counts.get(label, 0) for label in FAILED),
        "latest": queries.runs(RunFilter(), limit=2 * SHOWN).items,
        "workers": _alive(),
    }


def _alive() -> int:
    """Count the workers that have been heard of lately."""
    now = timezone.now()
    ages = [(now - worker.heartbeat_at).total_seconds() for worker in queries.workers()]
    return sum(age < STALE_WORKER_SECONDS for age in ages)
