"""Which addresses are measured: every page that can be read, lists with their filters, deep pages, and polls."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from django.urls import URLPattern, reverse

from bench.pages_definitions import SECOND, TWICE_ACTION, TWICE_FLOW
from bench.pages_sizes import LONG
from dotdo_site.lib.paging import encode
from workflows.models import (
    Batch,
    Delivery,
    Entry,
    EntryVersion,
    Event,
    FailureGroup,
    Notification,
    NotificationMute,
    Run,
    Step,
    Worker,
)
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
    "code": {"code": "timeout"},
    "queue": {"queue": "default"},
    "name and version": {"name": "bench-flow-20", "version": "1.0.0"},
    "key": {"key": "order/50"},
}
RUN_TABS = ("timeline", "graph", "events", "io", "logs", "related", "audit")
# What else a page is asked for, by the name of its URL: in place of the address without a query.
QUERIES: dict[str, dict[str, Mapping[str, str]]] = {
    "overview": {window: {"window": window} for window in ("1h", "24h", "7d", "30d")},
    "runs-export": {f"few, {form}": {"format": form, "name": "bench-flow-0"} for form in ("csv", "ndjson")},
    "search": {
        "none": {},
        "definitions": {"q": "bench-"},
        "keys": {"q": "order/5"},
        "nothing": {"q": "not to be found"},
    },
    "batch-new": {
        "a workflow": {"verb": "retry", "name": "bench-flow-20"},
        "all failed": {"verb": "resolve", "status": "failed"},
        "unfinished": {"verb": "cancel", "kind": "workflow"},
    },
    "batch": {"all": {}, "waiting": {"state": "waiting"}, "skipped": {"state": "skipped"}},
    "failures": {
        "open": {},
        "resolved": {"state": "resolved"},
        "ignored": {"state": "ignored"},
        "name": {"name": "bench-flow-20"},
        "code": {"code": "timeout"},
        "text": {"q": "declined"},
        "since": {"since": "7d"},
    },
    "events": {
        "all": {},
        "type": {"type": "order.paid"},
        "no such type": {"type": "order.lost"},
        "source": {"source": "/shop"},
        "via": {"via": "endpoint"},
        "via nobody": {"via": "person"},
        "taken by no run": {"taken": "no"},
        "since": {"since": "24h"},
    },
    "deliveries": {
        "all": {},
        "endpoint": {"endpoint": "shop"},
        "refused": {"outcome": "refused"},
        "endpoint and refused": {"endpoint": "shop", "outcome": "refused"},
        "endpoint, none refused": {"endpoint": "bank", "outcome": "refused"},
        "since": {"since": "24h"},
    },
    "schedules": {"all": {}, "paused": {"state": "paused"}, "name": {"name": "bench-flow-30"}},
    "approvals-answered": {"all": {}, "by one": {"by": "someone1"}, "by nobody": {"by": "nobody"}},
    "audit": {
        "all": {},
        "kind": {"kind": "run.succeeded"},
        "rare kind": {"kind": "failure.resolved"},
        "actor": {"actor": "someone1"},
        "no such actor": {"actor": "nobody"},
        "definition": {"definition": "bench-flow-30"},
        "reason": {"reason": "in order"},
        "since": {"since": "24h"},
        "kind and actor": {"kind": "run.started", "actor": "someone1"},
    },
    "audit-verify": {"none": {}, "the run of 500 steps": {"run": str(LONG)}},
    "workflows": {"all": {}, "search": {"q": "flow-2"}},
    "actions": {"all": {}, "search": {"q": "act-2"}},
    "action": {"all": {}, "failed": {"status": "failed"}, "version": {"version": "1.0.0"}},
    "notifications": {"all": {}, "dead": {"state": "dead"}, "waiting": {"state": "waiting"}},
    "datastore": {
        "all": {},
        "namespace": {"namespace": "orders"},
        "prefix": {"prefix": "usr_1"},
        "namespace and prefix": {"namespace": "orders", "prefix": "usr_1"},
        "nothing": {"prefix": "nobody"},
    },
}
LEFT_OUT = {
    "view-save": "only takes a POST",
    "view-delete": "only takes a POST",
    "workflow-diffs": "only leads on to the difference",
    "action-diffs": "only leads on to the difference",
}
# What is downloaded takes as long as it has rows: of runs only an export of few is measured.
STREAMS = "runs-export of many and the file of audit-export: streams, which take as long as they have rows"


def addresses() -> Iterator[tuple[str, str]]:
    """Give a title and an address for everything that is measured."""
    there, known = _there(), {"runs": _runs, "runs-live": _runs_live, "run": _run, "run-live": _run_live}
    for pattern in urlpatterns:
        name = str(pattern.name)
        if name in known:
            yield from known[name]()
        elif name not in LEFT_OUT:
            yield from _pages(pattern, there)


def left_out() -> list[str]:
    """Say what is not measured, and why."""
    return [*(f"{name}: {reason}" for name, reason in LEFT_OUT.items()), STREAMS]


def _pages(pattern: URLPattern, there: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    name = str(pattern.name)
    base = reverse(name, kwargs={key: _argument(name, key, there) for key in pattern.pattern.converters})
    queries = {**QUERIES.get(name, {}), **there["queries"].get(name, {})}
    for title, query in (queries or {"": {}}).items():
        yield f"{name}: {title}" if title else name, f"{base}?{urlencode(query)}" if query else base


def _argument(page: str, key: str, there: Mapping[str, Any]) -> Any:
    """Return what stands in an address, known as `page:argument`, `family:argument` or by its name alone."""
    names = (f"{page}:{key}", f"{page.partition('-')[0]}:{key}", key)
    return next(there[name] for name in names if name in there)


def _there() -> dict[str, Any]:
    """Return what addresses name."""
    failed, waiting = _newest(state="failed", resolved_at=None), _newest(state="waiting", reason="timer")
    asked = Step.objects.filter(function="approval:1.0.0", state="waiting").latest("id")
    entry = Entry.objects.latest("id")
    of_entry = {"namespace": entry.namespace, "key": entry.key}
    written = EntryVersion.objects.filter(**of_entry).latest("id").pk
    worst = FailureGroup.objects.latest("open_runs").fingerprint
    return {
        "name": TWICE_FLOW,
        "action:name": TWICE_ACTION,
        "part": "input",
        "old": "1.0.0",
        "new": SECOND,
        "version": "1.0.0",
        "queue": "default",
        "run_id": failed,
        "step_id": Step.objects.get(run=failed, state="failed").pk,
        **{f"run-{verb}:run_id": waiting for verb in ("suspend", "cancel", "event")},
        "run-resume:run_id": _newest(state="suspended"),
        "run-erase:run_id": _newest(state="succeeded"),
        "step-fire:run_id": waiting,
        "step-fire:step_id": Step.objects.filter(run=waiting).latest("id").pk,
        "approval:run_id": asked.run_id,
        "approval:step_id": asked.pk,
        "event_id": Event.objects.latest("id").pk,
        "delivery_id": Delivery.objects.latest("id").pk,
        "mute_id": NotificationMute.objects.latest("id").pk,
        "notification_id": Notification.objects.filter(state="dead").latest("id").pk,
        "worker_id": Worker.objects.filter(stopped_at=None).latest("id").pk,
        "batch_id": Batch.objects.filter(state="running").latest("id").pk,
        "fingerprint": worst,
        "failure-reopen:fingerprint": FailureGroup.objects.filter(state="resolved").latest("id").fingerprint,
        "queries": {
            "batch-new": {"a group": {"verb": "retry", "group": worst}, "a run": {"verb": "retry", "run": failed}},
            "entry": {"": of_entry},
            "entry-delete": {"": of_entry},
            "entry-history": {"all": of_entry, "a version": of_entry | {"version": written}},
            "workflow-start": {"": {}, "from a run": {"from": failed}},
        },
    }


def _newest(**state: Any) -> Any:
    return Run.objects.filter(kind="workflow", **state).exclude(pk=LONG).latest("id").pk


def _runs() -> Iterator[tuple[str, str]]:
    base = reverse("runs")
    worst = FailureGroup.objects.latest("open_runs").fingerprint
    for title, values in {**RUN_FILTERS, "group": {"group": worst}}.items():
        yield f"runs: {title}", f"{base}?{urlencode(values)}"
    middle, last = (
        Run.objects.order_by("id").values_list("id", flat=True)[place] for place in (Run.objects.count() // 2, 60)
    )
    for title, at in (("middle", middle), ("last", last)):
        yield f"runs: {title} page", f"{base}?{urlencode({'after': encode(at)})}"
        yield f"runs: {title} page, failed", f"{base}?{urlencode({'after': encode(at), 'status': 'failed'})}"
    yield "runs: back to the middle", f"{base}?{urlencode({'before': encode(middle)})}"


def _runs_live() -> Iterator[tuple[str, str]]:
    for title in ("all", "status failed", "search title", "name and failed"):
        yield f"runs: poll, {title}", f"{reverse('runs-live')}?{urlencode(RUN_FILTERS[title])}"


def _run() -> Iterator[tuple[str, str]]:
    for tab in RUN_TABS:
        yield f"run of 500 steps: {tab}", f"{reverse('run', args=[LONG])}?view={tab}"
        yield f"run: {tab}", f"{reverse('run', args=[_newest(state='failed', resolved_at=None)])}?view={tab}"
    step = Step.objects.filter(run=LONG).values_list("id", flat=True)[7]
    yield "run of 500 steps: a step", f"{reverse('run', args=[LONG])}?step={step}"


def _run_live() -> Iterator[tuple[str, str]]:
    yield "run: poll", reverse("run-live", args=[_newest(state="failed", resolved_at=None)])
    yield "run of 500 steps: poll", reverse("run-live", args=[LONG])
