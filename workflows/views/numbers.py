"""The six numbers of the first page: each with what is worth knowing beside it, and how it went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workflows.queries import Now, QueueLine, WorkerRow, rollups
from workflows.queries.overview import COUNT_LIMIT
from workflows.queries.rollups import Span
from workflows.rollups import slots
from workflows.templatetags.display import NOTHING, moment_text, number, percent, seconds_text
from workflows.views import charting
from workflows.views.charting import Frame

GAUGES = ("running", "pending", "waiting", "retrying")
# From which samples a window is drawn, in seconds.
SAMPLES = {"1h": 60, "24h": 60, "7d": 3_600, "30d": 3_600}
WINDOW_WORDS = {"1h": "1 h", "24h": "24 h", "7d": "7 d", "30d": "30 d"}
# What the window before is read from: fewer rows than the window itself.
BEFORE = {"1h": 300, "24h": 3_600, "7d": 86_400, "30d": 86_400}


@dataclass(frozen=True)
class Card:
    """A number: where it leads, what is beside it, how it went, and what that is called."""

    title: str
    tone: str
    value: str
    address: str
    note: str
    history: Sequence[float]
    history_words: Sequence[str]


def cards(
    frame: Frame,
    opened: Now,
    spans: Sequence[Span],
    durations: Sequence[int],
    alive: Sequence[WorkerRow] | None,
    queues: Sequence[QueueLine],
    open_failures: int,
    now: datetime,
) -> list[Card]:
    """Return the six numbers; `alive` is None for those who may not see workers."""
    gauges = charting.levels(frame, GAUGES, span=SAMPLES[frame.window])
    oldest = max((queue.oldest_seconds for queue in queues if queue.due), default=0.0)
    return [
        _card("running", _("Running"), "running", opened.running, _busy(alive), gauges["running"]),
        _card(
            "pending",
            _("Queued"),
            "queued",
            opened.pending,
            _("oldest step %(age)s") % {"age": seconds_text(oldest)} if oldest else _("nothing is due"),
            gauges["pending"],
        ),
        _card(
            "waiting",
            _("Waiting"),
            "waiting",
            opened.waiting,
            ngettext("%(count)s on a person", "%(count)s on people", opened.people) % {"count": number(opened.people)},
            gauges["waiting"],
        ),
        _card("retrying", _("Retrying"), "retrying", opened.retrying, _next_attempt(opened), gauges["retrying"]),
        _failed(frame, spans, open_failures),
        _p95(frame, spans, durations, now),
    ]


def _card(status: str, title: str, tone: str, value: int, note: str, history: Sequence[float]) -> Card:
    text = f"{number(COUNT_LIMIT)}+" if value == COUNT_LIMIT else number(value)
    address = f"{reverse('runs')}?status={status}"
    return Card(title, tone, text, address, note, history, [number(round(each)) for each in history])


def _busy(alive: Sequence[WorkerRow] | None) -> str:
    if alive is None:
        return ""
    if not alive:
        return _("no worker")
    share = percent(sum(each.step is not None for each in alive) / len(alive))
    words = ngettext("%(count)s worker, %(share)s busy", "%(count)s workers, %(share)s busy", len(alive))
    return words % {"count": number(len(alive)), "share": share}


def _next_attempt(opened: Now) -> str:
    if opened.next_attempt_at is None:
        return _("no attempt is due") if opened.retrying else _("nothing to try again")
    return _("next attempt %(at)s") % {"at": moment_text(opened.next_attempt_at, "short")}


def _failed(frame: Frame, spans: Sequence[Span], open_failures: int) -> Card:
    failed, count = sum(span.failed for span in spans), sum(span.count for span in spans)
    words: dict[str, Any] = {"open": number(open_failures), "count": number(count)}
    note = ngettext("%(open)s cause open", "%(open)s causes open", open_failures) % words
    if count:
        note = _("%(share)s of %(count)s · %(open)s open") % {**words, "share": percent(failed / count)}
    history = [float(total["failed"]) for total in charting.totals(frame, spans)]
    title = _("Failed, %(window)s") % {"window": WINDOW_WORDS[frame.window]}
    address = f"{reverse('runs')}?status=failed"
    return Card(title, "failed", number(failed), address, note, history, [number(round(each)) for each in history])


def _p95(frame: Frame, spans: Sequence[Span], durations: Sequence[int], now: datetime) -> Card:
    p95 = slots.percentile(durations, 0.95)
    since, until = charting.recent(frame.window, now)
    before = rollups.spans(since, until, span=BEFORE[frame.window]).values()
    earlier = slots.percentile(rollups.added([span.durations for span in before]), 0.95)
    changed = charting.change(p95, earlier)
    history = [slots.percentile(each, 0.95) or 0.0 for each in charting.durations_by_column(frame, spans)]
    words = {"change": " ".join(changed) if changed else "", "window": WINDOW_WORDS[frame.window]}
    return Card(
        _("p95 duration"),
        "",
        charting.rough(p95) if p95 is not None else NOTHING,
        f"{reverse('runs')}?status=succeeded&since={frame.window}",
        _("%(change)s vs the %(window)s before") % words if changed else _("of what succeeded"),
        history,
        [charting.rough(each) if each else NOTHING for each in history],
    )
