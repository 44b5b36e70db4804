"""The list of runs: filters in the address, pages by keyset, news offered and never pushed in above the reader."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from dotdo_site.lib.paging import BadCursor
from workflows import queries
from workflows.queries import LABELS, Page, RunFilter, RunRow
from workflows.views import live
from workflows.views.filters import KINDS, WINDOWS, Asked
from workflows.views.guard import needs

PAGE_SIZE = 50
ALWAYS_OFFERED = ("running", "waiting", "retrying", "dead_letter", "succeeded", "cancelled")


@require_GET
@needs("workflows.view_run")
def runs(request: HttpRequest) -> HttpResponse:
    """Show the runs that fit; htmx gets only the list."""
    asked, now = Asked.read(request.GET), timezone.now()
    context = _context(request, asked, now)
    part = is_fragment(request)
    template = "runs/_list.html" if part else "runs/list.html"
    status = 400 if context["problems"] else 200
    return live.varied(render(request, template, {**context, "oob": part}, status=status))


@require_GET
@needs("workflows.view_run")
def runs_live(request: HttpRequest) -> HttpResponse:
    """Answer the poller of the list: rows that the reader has are renewed, newer ones are only counted."""
    asked, now = Asked.read(request.GET), timezone.now()
    if asked.problems:
        return HttpResponse(" ".join(asked.problems), status=400, content_type="text/plain")
    chosen = asked.at(now)
    token = queries.list_token(chosen)
    if live.unchanged(request, token):
        return live.varied(HttpResponse(status=204))
    newest, items = _top(request), queries.runs(chosen, limit=PAGE_SIZE).items
    context = {
        "rows": [run for run in items if newest is None or run.id <= newest],
        "news": _news(queries.newer_than(chosen, newest) if newest else len(items)),
        "asked": asked,
        "facets": _facets(chosen, asked),
        "all_address": asked.without("status"),
        "here": asked.without(),
        **_poll(asked, token, newest),
    }
    return live.varied(HttpResponse(render_to_string("runs/_news.html", context, request)))


def is_fragment(request: HttpRequest) -> bool:
    """Tell whether htmx asks for a part; when it restores history it wants the page."""
    details = request.htmx  # type: ignore[attr-defined]  # set by HtmxMiddleware
    return bool(details) and not details.history_restore_request


def _context(request: HttpRequest, asked: Asked, now: datetime) -> dict[str, Any]:
    chosen = asked.at(now)
    token = queries.list_token(chosen)
    page, problems = _page(request, asked, chosen)
    first = not problems and not request.GET.get("before") and not request.GET.get("after")
    poll = _poll(asked, token, page.items[0].id if page.items else None) if first else {"poll_url": ""}
    return {
        "asked": asked,
        "page": page,
        "problems": problems,
        "first": first,
        "newer": asked.without(before=page.previous) if page.previous else "",
        "older": asked.without(after=page.next) if page.next else "",
        "facets": _facets(chosen, asked),
        "all_address": asked.without("status"),
        "windows": WINDOWS,
        "kinds": KINDS,
        **poll,
    }


def _page(request: HttpRequest, asked: Asked, chosen: RunFilter) -> tuple[Page[RunRow], list[str]]:
    """Read the page that the cursor names; an address that cannot be understood gives no rows and says why."""
    problems = list(asked.problems)
    before = request.GET.get("before") or None
    after = None if before else request.GET.get("after") or None
    try:
        page = queries.runs(chosen, after=after, before=before, limit=PAGE_SIZE)
    except BadCursor:
        problems.append(f"{'before' if before else 'after'} does not name a page: begin at the first one.")
    return (Page([], None, None), problems) if problems else (page, [])


def _facets(chosen: RunFilter, asked: Asked) -> list[tuple[str, int, str]]:
    """Return (label, count, address) of the labels that occur and of those that people look for."""
    counts = queries.status_counts(replace(chosen, label="", state=""))
    labels = [label for label in LABELS if counts.get(label) or label in ALWAYS_OFFERED]
    return [(label, counts.get(label, 0), asked.without(status=label)) for label in labels]


def _poll(asked: Asked, token: str, newest: UUID | None) -> dict[str, Any]:
    query = {**asked.values, "v": token, "top": str(newest or "")}
    return {"poll_url": f"{reverse('runs-live')}?{urlencode(query)}", "poll_every": live.LIST_SECONDS}


def _top(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.GET.get("top", ""))
    except ValueError:
        return None


def _news(count: int) -> str:
    if not count:
        return ""
    return "1 new run" if count == 1 else f"{count} new runs"
