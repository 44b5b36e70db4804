"""Commands to many runs: a page that names the number and what happens, and one that says what became of them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from dotdo_site.lib.ids import uuid7
from dotdo_site.lib.moments import can_be_asked
from dotdo_site.lib.paging import BadCursor
from workflows import operations, queries
from workflows.operations import MOST_RUNS, Choice, NotAllowed, UnknownBatch
from workflows.queries import BatchRow, Count, ItemRow, Page
from workflows.queries.batches import Outcome
from workflows.views import live
from workflows.views.answers import see_other
from workflows.views.batch_verbs import VERBS, Verb, offered
from workflows.views.filters import Asked, Chip
from workflows.views.guard import needs, refuse
from workflows.views.permissions import actor, may
from workflows.views.run_commands import NO_REASON, posted_reason

PAGE_SIZE = 50
MOST_IDS = 1_000
COUNT_SECONDS = 5.0
OWN_KEYS = ("verb", "run", "all", "reason", "shown", "as_of", "batch", "csrfmiddlewaretoken", "after", "before")
STATES = ("waiting", "done", "skipped", "failed")
# How long after the end of a batch its page still asks what became of the runs, and how often.
WATCH = timedelta(hours=1)
AFTERWARDS_SECONDS = 15
TEMPLATES = {"head": "batches/_head.html", "items": "batches/_items.html"}


@dataclass(frozen=True)
class Picked:
    """What a form or a link picked: ids, or a filter, or something that cannot be understood."""

    choice: Choice
    chips: list[Chip]
    fields: list[tuple[str, str]]
    problems: tuple[str, ...]


@needs("workflows.view_batch")
@require_GET
def batches(request: HttpRequest) -> HttpResponse:
    """List the batches, newest first."""
    try:
        page = queries.batches(after=request.GET.get("after") or None, limit=PAGE_SIZE)
    except BadCursor:
        page = queries.batches(limit=PAGE_SIZE)
    context = {"rows": [(row, VERBS[row.verb]) for row in page.items], "next": page.next}
    return render(request, "batches/list.html", context)


@needs("workflows.change_batch")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Ask before many runs get a command: how many, what happens, and why. POST starts it."""
    data = request.POST if request.method == "POST" else request.GET
    verb = VERBS.get(data.get("verb", ""))
    if verb and not may(request, verb.permission):
        return refuse(request, verb.permission)
    as_of = _moment(data.get("as_of", ""))
    picked = _picked(data, as_of)
    if verb is None or picked.problems:
        return _ask(request, verb, picked, as_of, status=400 if picked.problems or data.get("verb") else 200)
    if request.method == "GET":
        return _ask(request, verb, picked, as_of)
    reason = posted_reason(request)
    if not reason:
        return _ask(request, verb, picked, as_of, error=str(NO_REASON), status=422)
    return _start(request, verb, picked, as_of, reason)


@needs("workflows.view_batch")
@require_GET
def batch(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Show how far a batch is, and what became of the runs."""
    found = _find(batch_id)
    facts = _facts(request, found, queries.batch_outcome(found))
    built = _build(request, found, facts)
    return live.varied(render(request, "batches/batch.html", {**facts, **built.context}))


@needs("workflows.view_batch")
@require_GET
def batch_live(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Answer the poller of a batch."""
    found = _find(batch_id)
    outcome = queries.batch_outcome(found)
    return live.answer(request, _token(found, outcome), lambda: _build(request, found, _facts(request, found, outcome)))


@needs("workflows.change_batch")
@require_http_methods(["GET", "POST"])
def stop(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Ask why, then give no further run its turn."""
    found = _find(batch_id)
    reason = posted_reason(request) if request.method == "POST" else ""
    if reason:
        try:
            operations.stop_batch(batch_id, actor=actor(request), reason=reason)
            messages.success(request, _("The batch is stopped: the runs that had no turn stay as they are."))
        except UnknownBatch as unknown:
            raise Http404(unknown.message) from unknown
        except NotAllowed as refused:
            messages.error(request, refused.message)
        return see_other(reverse("batch", args=[batch_id]))
    error = str(NO_REASON) if request.method == "POST" else ""
    context = {"batch": found, "verb": VERBS[found.verb], "error": error}
    return render(request, "batches/stop.html", context, status=422 if error else 200)


def _start(request: HttpRequest, verb: Verb, picked: Picked, as_of: datetime, reason: str) -> HttpResponse:
    try:
        batch_id = operations.start_batch(
            verb.verb,
            picked.choice,
            actor=actor(request),
            reason=reason,
            shown=_whole(request.POST.get("shown", "")),
            as_of=as_of,
            batch_id=_uuid(request.POST.get("batch", "")),
        )
    except NotAllowed as refused:
        return _ask(request, verb, picked, as_of, refusal=refused.message, status=422)
    started = queries.batch(batch_id)
    total = started.total if started else 0
    messages.info(request, _("Batch started: %(what)s.") % {"what": verb.started(total)})
    return see_other(reverse("batch", args=[batch_id]))


def _ask(
    request: HttpRequest,
    verb: Verb | None,
    picked: Picked,
    as_of: datetime,
    *,
    error: str = "",
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    """Show the form: the number, what happens, the reason; or the verbs to choose from."""
    count = _count(verb, picked, as_of) if verb and not picked.problems else Count()
    number = count.number if count else 0
    context: dict[str, Any] = {
        "verb": verb,
        "verbs": [(one, f"?{urlencode([('verb', one.verb), *picked.fields])}") for one in offered(request)],
        "picked": picked,
        "as_of": as_of,
        "number": number,
        "uncounted": count is None,
        "too_many": bool(count and count.more),
        "most": MOST_RUNS,
        "rate": settings.BATCH_RATE,
        "question": verb.question(number) if verb else _("What should be done?"),
        "button": verb.button(number) if verb else "",
        "batch_id": (None if refusal else _uuid(request.POST.get("batch", ""))) or uuid7(),
        "reason": request.POST.get("reason", ""),
        "error": error,
        "refusal": refusal,
        "back": f"{reverse('runs')}?{urlencode([] if picked.choice.runs else picked.fields)}",
    }
    return render(request, "batches/new.html", context, status=status)


def _picked(data: QueryDict, as_of: datetime) -> Picked:
    """Read ids, or a filter where `all` is ticked or no run is."""
    texts = data.getlist("run")
    if texts and not data.get("all"):
        ids = [found for text in texts[:MOST_IDS] if (found := _uuid(text))]
        wrong = [] if len(ids) == len(texts) else [_("Some of what was picked are not ids of runs.")]
        return Picked(Choice(runs=tuple(dict.fromkeys(ids))), [], [("run", str(one)) for one in ids], tuple(wrong))
    asked = Asked.read(data, also=OWN_KEYS)
    problems = asked.problems
    if not asked.values and not problems:
        problems = (_("A command to many runs needs a filter, so that it is not given to all by mistake."),)
    choice = Choice(chosen=asked.at(as_of), words=asked.fixed(as_of))
    return Picked(choice, asked.all_chips, list(asked.values.items()), problems)


def _count(verb: Verb, picked: Picked, as_of: datetime) -> Count | None:
    if picked.choice.runs:
        return Count(len(picked.choice.runs))
    return queries.count(picked.choice.meant(verb.verb, as_of), MOST_RUNS, COUNT_SECONDS)


def _build(request: HttpRequest, found: BatchRow, facts: dict[str, Any]) -> live.Live:
    token = _token(found, facts["outcome"])
    address = reverse("batch-live", args=[found.id]) if _watched(found, facts["outcome"]) else ""
    query = {key: request.GET[key] for key in ("state", "after") if request.GET.get(key)}
    every = AFTERWARDS_SECONDS if found.ended_at else live.RUN_SECONDS
    return live.Live(live.fragments(request, TEMPLATES, facts), address, token, every, query)


def _facts(request: HttpRequest, found: BatchRow, outcome: Outcome | None) -> dict[str, Any]:
    state = request.GET.get("state", "")
    state = state if state in STATES else ""
    numbers = {"waiting": found.left, "done": found.done, "skipped": found.skipped, "failed": found.failed}
    chosen = {key: str(value) for key, value in found.chosen.items()}
    asked = Asked.of_text(urlencode(chosen)) if "runs" not in found.chosen else Asked({})
    return {
        "batch": found,
        "verb": VERBS[found.verb],
        "outcome": outcome,
        "items": _items(request, found, state),
        "tabs": [("", found.total), *((name, numbers[name]) for name in STATES)],
        "state": state,
        "chips": asked.all_chips,
        "list_query": asked.query,
    }


def _items(request: HttpRequest, found: BatchRow, state: str) -> Page[ItemRow]:
    """Return runs of the batch; what they are called and how they are is for those who may see runs."""
    try:
        page = queries.batch_items(found.id, state, after=request.GET.get("after") or None, limit=PAGE_SIZE)
    except BadCursor:
        page = queries.batch_items(found.id, state, limit=PAGE_SIZE)
    if may(request, "workflows.view_run"):
        return page
    return replace(page, items=[replace(item, name="", label="") for item in page.items])


def _token(found: BatchRow, outcome: Outcome | None) -> str:
    return f"{found.state}.{found.worked}.{outcome}"


def _watched(found: BatchRow, outcome: Outcome | None) -> bool:
    """Tell whether something may still change: runs wait for their turn, or go on after it."""
    if found.ended_at is None:
        return True
    return bool(outcome and outcome.going and timezone.now() - found.ended_at < WATCH)


def _find(batch_id: UUID) -> BatchRow:
    found = queries.batch(batch_id)
    if found is None:
        raise Http404(_("There is no batch %(id)s.") % {"id": batch_id})
    return found


def _moment(text: str) -> datetime:
    """Return the moment that the reader was shown a number for; now, when it cannot be read or is still to come."""
    now = timezone.now()
    try:
        found = parse_datetime(text)
    except ValueError:
        return now
    known = found and timezone.is_aware(found) and can_be_asked(found) and found < now
    return found if found and known else now


def _whole(text: str) -> int:
    return min(int(text), 2**31 - 1) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
