"""The list of runs: filters in the address, pages by keyset, news offered and never pushed in above the reader."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from dotdo_site.lib.paging import BadCursor
from workflows import queries
from workflows.queries import FAILED, LABELS, Count, Page, RunFilter, RunRow, TooSlow
from workflows.templatetags.display import number
from workflows.views import live
from workflows.views.batch_verbs import offered
from workflows.views.filters import KINDS, TITLES, Asked
from workflows.views.guard import needs
from workflows.views.holding import Held
from workflows.views.listing import WINDOWS
from workflows.views.permissions import owner

PAGE_SIZE = 50
READ_SECONDS = 5.0
FACETS = ("running", "pending", "waiting", "retrying", FAILED, "succeeded", "cancelled")
TYPED = ("name", "version", "tag", "queue", "code", "key")  # the fields of the form that are plain text
MOST_HINTS = 6


@dataclass(frozen=True)
class Facet:
    """A status with the address of its runs; `count` is empty when it would take too long to count them."""

    label: str
    count: str
    address: str
    current: bool


@require_GET
@needs("workflows.view_run")
def runs(request: HttpRequest) -> HttpResponse:
    """Show the runs that fit; htmx gets only the list."""
    asked, now = Asked.read(request.GET), timezone.now()
    part = is_fragment(request)
    context = {**_context(request, asked, now), "oob": part}
    if not part:
        return live.varied(render(request, "runs/list.html", context, status=_status(context)))
    response = render(request, "runs/_list.html", context)
    response["HX-Push-Url"] = f"{reverse('runs')}?{asked.query}"
    return live.varied(response)


@require_GET
@needs("workflows.view_run")
def runs_live(request: HttpRequest) -> HttpResponse:
    """Answer the poller of the list: cells of rows that the reader has are renewed, newer rows are only counted."""
    asked, now, held = Asked.read(request.GET), timezone.now(), Held.read(request.GET)
    if asked.problems:
        return HttpResponse(" ".join(asked.problems), status=400, content_type="text/plain")
    chosen = asked.at(now)
    try:
        with queries.within(READ_SECONDS):
            news = queries.newer_than(chosen, held.top) if held.first else 0
            token = held.token(news, now)
            if live.unchanged(request, token):
                return live.varied(HttpResponse(status=204))
            rows = queries.some_runs(held.ids)
    except TooSlow:
        return HttpResponse(status=204)
    context = {
        "rows": held.changed(rows, now),
        "news": _news(news),
        "asked": asked,
        "list_query": asked.query,
        **_facets(chosen, asked),
        **_poll(asked, held.renewed(rows, now), token),
    }
    return live.varied(HttpResponse(render_to_string("runs/_news.html", context, request)))


def is_fragment(request: HttpRequest) -> bool:
    """Tell whether htmx asks for a part; when it restores history it wants the page."""
    details = request.htmx  # type: ignore[attr-defined]  # set by HtmxMiddleware
    return bool(details) and not details.history_restore_request


def _context(request: HttpRequest, asked: Asked, now: datetime) -> dict[str, Any]:
    chosen = asked.at(now)
    page, problems, slow = _page(request, asked, chosen)
    first = not request.GET.get("before") and not request.GET.get("after")
    held = Held.of(page.items, first=first, now=now)
    live_now = not (problems or slow)
    facets = _facets(chosen, asked)
    return {
        "asked": asked,
        "list_query": asked.query,
        "page": page,
        "problems": problems,
        "slow": slow,
        "position": _position(page, facets["matching"], first=first),
        "newer": asked.without(before=page.previous) if page.previous else "",
        "older": asked.without(after=page.next) if page.next else "",
        "hints": _hints(asked, now) if live_now and not page.items and first else [],
        "windows": WINDOWS,
        "kinds": KINDS,
        "typed": [(key, TITLES[key], asked.values.get(key, "")) for key in TYPED],
        "views": queries.saved_views(owner(request)),
        "commands": offered(request),
        "curl": _curl(asked, chosen),
        "export_limit": number(queries.EXPORT_LIMIT),
        **facets,
        **(_poll(asked, held, held.token(0, now)) if live_now else {"poll_url": ""}),
    }


def _page(request: HttpRequest, asked: Asked, chosen: RunFilter) -> tuple[Page[RunRow], list[str], bool]:
    """Read the page that the cursor names; an address that cannot be understood gives no rows and says why."""
    problems = list(asked.problems)
    before = request.GET.get("before") or None
    after = None if before else request.GET.get("after") or None
    nothing: Page[RunRow] = Page([], None, None)
    try:
        with queries.within(READ_SECONDS):
            page = nothing if problems else queries.runs(chosen, after=after, before=before, limit=PAGE_SIZE)
    except BadCursor:
        name = "before" if before else "after"
        problems.append(_("%(name)s does not name a page: begin at the first one.") % {"name": name})
        return nothing, problems, False
    except TooSlow:
        return nothing, problems, True
    return page, problems, False


def _status(context: dict[str, Any]) -> int:
    if context["problems"]:
        return 400
    return 503 if context["slow"] else 200


def _facets(chosen: RunFilter, asked: Asked) -> dict[str, Any]:
    """Return the statuses that people look for and those that occur, and how many runs fit the whole filter."""
    counts = queries.tally(chosen)
    current = asked.values.get("status", "")
    alone = _number(counts, "dead_letter") == _number(counts, FAILED)  # then it says nothing that "failed" does not
    others = [label for label in LABELS if label not in FACETS and (label == current or _number(counts, label))]
    others = [label for label in others if label == current or label != "dead_letter" or not alone]
    facets = [
        Facet(label, _text(counts, label), asked.without(status=label), label == current)
        for label in (*FACETS, *others)
    ]
    everything = Facet("", _text(counts, ""), asked.without("status"), not current)
    return {"facets": [everything, *facets], "matching": _text(counts, current)}


def _number(counts: dict[str, Count], label: str) -> int:
    return counts[label].number if label in counts else 0


def _text(counts: dict[str, Count], label: str) -> str:
    """Return a count in words: `10,000+` where nobody counted further, nothing where it is not known."""
    count = counts.get(label)
    if count is None or (count.more and not count.number):
        return ""
    return f"{number(count.number)}+" if count.more else number(count.number)


def _position(page: Page[RunRow], matching: str, *, first: bool) -> str:
    """Say where the page is, where that is known: at the beginning."""
    shown = len(page.items)
    if first and matching:
        return _("1\u2013%(last)d of %(all)s") % {"last": shown, "all": matching}
    return ngettext("%(count)d run", "%(count)d runs", shown) % {"count": shown}


def _hints(asked: Asked, now: datetime) -> list[tuple[str, str, str, Count]]:
    """Return (title, value, address, count) for each filter whose removal would show something, the most first."""
    found = []
    for key in list(asked.values)[:MOST_HINTS]:
        without = asked.without(key)
        count = queries.count(Asked.of_text(without).at(now))
        if count is None or count.number:
            found.append((key, without, count or Count()))
    found.sort(key=lambda hint: -hint[2].number)
    words = {chip.key: (chip.title, chip.value) for chip in asked.all_chips}
    return [(*words[key], without, count) for key, without, count in found]


def _curl(asked: Asked, chosen: RunFilter) -> str:
    """Return the same question to the API, for a shell; the key stays in the reader's environment."""
    values = dict(asked.values)
    values |= {name: moment.isoformat() for name in ("since", "until") if (moment := getattr(chosen, name))}
    address = f"{settings.PUBLIC_URL}{reverse('api-runs')}"
    query = f"?{urlencode(values)}" if values else ""
    return f"curl -sS -H \"Authorization: Bearer $DOTDO_API_KEY\" '{address}{query}'"


def _poll(asked: Asked, held: Held, token: str) -> dict[str, Any]:
    query = {**asked.values, **held.query, "v": token}
    return {"poll_url": f"{reverse('runs-live')}?{urlencode(query)}", "poll_every": live.LIST_SECONDS}


def _news(count: int) -> str:
    return ngettext("%(count)d new run", "%(count)d new runs", count) % {"count": count} if count else ""
