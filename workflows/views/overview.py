"""The first page: is everything all right, what needs a person, what is going on."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from workflows import queries
from workflows.queries import rollups
from workflows.rollups import slots
from workflows.views import charting, live, numbers
from workflows.views.guard import needs
from workflows.views.permissions import may
from workflows.views.troubles import system_address, troubles

STALE_WORKER_SECONDS = 60
SHOWN = 6
IN_FLIGHT = 8
SCHEDULES = 4
DEFAULT_WINDOW = "24h"
WINDOWS = {
    "1h": gettext_lazy("1 h"),
    "24h": gettext_lazy("24 h"),
    "7d": gettext_lazy("7 d"),
    "30d": gettext_lazy("30 d"),
}
TEMPLATES = {
    "summary": "overview/_summary.html",
    "charts": "overview/_charts.html",
    "attention": "overview/_attention.html",
    "flight": "overview/_flight.html",
    "machinery": "overview/_machinery.html",
}


@require_GET
@needs("workflows.view_run")
def overview(request: HttpRequest) -> HttpResponse:
    """Show the first page."""
    attention = _attention(request)
    built = _build(request, attention, queries.overview_token(timezone.now(), attention))
    window, table = _asked(request)
    context = {"window": window, "table": table, "windows": WINDOWS, "fragments": built.fragments}
    return render(request, "overview/overview.html", {**context, **built.context})


@require_GET
@needs("workflows.view_run")
def overview_live(request: HttpRequest) -> HttpResponse:
    """Answer the poller of the first page."""
    attention = _attention(request)
    token = queries.overview_token(timezone.now(), attention)
    return live.answer(request, token, lambda: _build(request, attention, token))


def _asked(request: HttpRequest) -> tuple[str, bool]:
    """Return which window is shown, and whether the numbers of charts are."""
    window = request.GET.get("window", "")
    return window if window in WINDOWS else DEFAULT_WINDOW, request.GET.get("table") == "1"


def _attention(request: HttpRequest) -> list[queries.FailureRow]:
    return queries.needs_attention(SHOWN) if may(request, "workflows.view_failuregroup") else []


def _build(request: HttpRequest, attention: list[queries.FailureRow], token: str) -> live.Live:
    window, table = _asked(request)
    facts = _facts(request, window) | {"attention": attention, "window": window, "table": table}
    query = {"window": window} | ({"table": "1"} if table else {})
    rendered = live.fragments(request, TEMPLATES, facts)
    return live.Live(rendered, reverse("overview-live"), token, live.LIST_SECONDS, query)


def _facts(request: HttpRequest, window: str) -> dict[str, Any]:
    now = timezone.now()
    frame = charting.frame(window, now)
    spans = charting.spans(window, frame.begins_at, now)
    durations = rollups.added([span.durations for span in spans])
    opened, health = queries.now_open(), queries.health()
    workers = queries.workers()
    alive = [each for each in workers if (now - each.heartbeat_at).total_seconds() < STALE_WORKER_SECONDS]
    may_workers = may(request, "workflows.view_worker")
    queues = queries.queue_lines(now, dict(health.paused))
    counts = queries.open_failures()
    cards = numbers.cards(frame, opened, spans, durations, alive if may_workers else None, queues, counts, now)
    any_run = bool(opened.running or opened.pending or opened.waiting or spans) or queries.any_run()
    return {
        "any_run": any_run,
        "troubles": troubles(health, alive, queues, may_manage=may(request, "workflows.view_queue")),
        "open_failures": counts,
        "numbers": cards,
        "history": [
            (frame.title(index), [card.history_words[index] for card in cards]) for index in range(frame.count)
        ],
        "system_address": system_address() if may(request, "workflows.view_queue") else "",
        "finished": charting.outcomes(frame, spans),
        "durations": charting.durations(durations),
        "per": frame.per,
        "outcomes": charting.OUTCOMES,
        "has_durations": slots.percentile(durations, 0.5) is not None,
        "flight": queries.in_flight(IN_FLIGHT),
        "opened": opened,
        "queues": queues[:SHOWN],
        "workers": workers,
        "alive": len(alive),
        "heartbeat_at": max((each.heartbeat_at for each in workers), default=None),
        "schedules": queries.next_scheduled(SCHEDULES) if may(request, "workflows.view_schedule") else [],
    }
