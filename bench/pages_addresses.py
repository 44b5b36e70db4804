"""Which addresses are measured: every page that can be read, the lists with each of their filters, and the polls."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.urls import URLPattern, reverse

from bench.pages_rows import LONG
from dotdo_site.lib.paging import encode
from workflows.models import Delivery, Event, Run, Step
from workflows.queries.labels import LABELS
from workflows.views.urls import urlpatterns

RUN_FILTERS: dict[str, dict[str, str]] = {
    "all": {},
    **{f"status {label}": {"status": label} for label in (*LABELS, "failed")},
    **{f"since {since}": {"since": since} for since in ("1h", "24h", "30d")},
    "name": {"name": "bench-flow-20"},
    "rare name": {"name": "bench-flow-0"},
    "kind": {"kind": "action"},
    "common tag": {"tag": "region=eu"},
    "rare tag": {"tag": "vip"},
    "no such tag": {"tag": "nobody"},
    "search key": {"q": "order/500000"},
    "search title": {"q": "usr_4999"},
    "search nothing": {"q": "nowhere to be found"},
    "failed since 24h": {"status": "failed", "since": "24h"},
    "name and failed": {"name": "bench-flow-20", "status": "failed"},
    "name and since": {"name": "bench-flow-0", "since": "30d"},
    "name and cancelled": {"name": "bench-flow-1", "status": "cancelled"},
    "tag and failed": {"tag": "region=eu", "status": "failed"},
    "name, tag, since": {"name": "bench-flow-30", "tag": "region=us", "since": "7d"},
    "search and failed": {"q": "usr_4999", "status": "failed"},
    "search and since": {"q": "usr_4999", "since": "24h"},
}
RUN_TABS = ("timeline", "graph", "events", "io", "logs", "related", "audit")


def addresses() -> Iterator[tuple[str, str]]:
    """Give a title and an address for everything that is measured; every URL that needs no more than its name, too."""
    known = _known()
    for pattern in urlpatterns:
        yield from known.get(str(pattern.name), _plain)(pattern)


def _plain(pattern: URLPattern) -> Iterator[tuple[str, str]]:
    yield str(pattern.name), reverse(str(pattern.name), kwargs=_arguments(pattern))


def _known() -> dict[str, Callable[[URLPattern], Iterator[tuple[str, str]]]]:
    return {"runs": _runs, "runs-live": _runs_live, "run": _run, "run-live": _run_live}


def _runs(_: URLPattern) -> Iterator[tuple[str, str]]:
    base = reverse("runs")
    for title, values in RUN_FILTERS.items():
        yield f"runs: {title}", f"{base}?{urlencode(values)}"
    middle, last = (
        Run.objects.order_by("id").values_list("id", flat=True)[place] for place in (Run.objects.count() // 2, 60)
    )
    for title, at in (("middle", middle), ("last", last)):
        yield f"runs: {title} page", f"{base}?{urlencode({'after': encode(at)})}"
        yield f"runs: {title} page, failed", f"{base}?{urlencode({'after': encode(at), 'status': 'failed'})}"
    yield "runs: back to the middle", f"{base}?{urlencode({'before': encode(middle)})}"


def _runs_live(_: URLPattern) -> Iterator[tuple[str, str]]:
    for title in ("all", "status failed", "search title", "name and failed"):
        yield f"runs: poll, {title}", f"{reverse('runs-live')}?{urlencode(RUN_FILTERS[title])}"


def _run(_: URLPattern) -> Iterator[tuple[str, str]]:
    for tab in RUN_TABS:
        yield f"run of 500 steps: {tab}", f"{reverse('run', args=[LONG])}?view={tab}"
        yield f"run: {tab}", f"{reverse('run', args=[_failed()])}?view={tab}"
    step = Step.objects.filter(run=LONG).values_list("id", flat=True)[7]
    yield "run of 500 steps: a step", f"{reverse('run', args=[LONG])}?step={step}"


def _run_live(_: URLPattern) -> Iterator[tuple[str, str]]:
    yield "run: poll", reverse("run-live", args=[_failed()])
    yield "run of 500 steps: poll", reverse("run-live", args=[LONG])


def _failed() -> Any:
    return Run.objects.filter(state="failed", resolved_at__isnull=True).order_by("-id").values_list("id", flat=True)[0]


def _arguments(pattern: URLPattern) -> dict[str, Any]:
    """Return what stands in an address: something that is there."""
    waiting = Step.objects.filter(function="approval:1.0.0", state="waiting").order_by("-id").first()
    assert waiting is not None
    run_id = waiting.run_id if pattern.name in ("approval", "run-cancel", "run-suspend", "run-event") else _failed()
    found = {
        "run_id": run_id,
        "step_id": waiting.pk,
        "part": "input",
        "name": "bench-act-7" if str(pattern.pattern).startswith("actions") else "bench-flow-30",
        "event_id": Event.objects.order_by("-id").values_list("id", flat=True)[0],
        "delivery_id": Delivery.objects.order_by("-id").values_list("id", flat=True)[0],
    }
    return {name: found.get(name, uuid4()) for name in pattern.pattern.converters}
