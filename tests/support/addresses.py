"""The address of every page, filled with what is there: for tests that look at all of them."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import URLPattern, reverse
from django.utils import timezone

from tests.support.crowd import Crowd, crowd
from tests.support.pages import Seeded
from workflows import operations
from workflows.grouping import chores
from workflows.models import FailureGroup, Step
from workflows.operations.batches import Choice
from workflows.views.urls import urlpatterns

TABS = ("graph", "events", "io", "logs", "related")
# What answers with a file or to a script, what only takes a POST, and what leads on to an address with two versions.
NO_PAGES = ("-live", "-raw", "-export", "-save", "-delete", "-verify", "-diffs")


def furnish(runs: Seeded, folder: Path) -> dict[str, list[str]]:
    """Make some of everything; return the addresses of every page by the name of its URL."""
    made = crowd("crowd", 3, folder)
    operations.mute(
        "run", str(runs.failed), timezone.now() + timedelta(days=1), actor="user:test", reason="being repaired"
    )
    chores.group()
    known = _known(runs, made)
    pages = {str(each.name): each for each in urlpatterns if not str(each.name).endswith(NO_PAGES)}
    found = {name: [_address(pattern, known)] for name, pattern in pages.items()}
    for name, addresses in _more(runs, made).items():
        found.setdefault(name, []).extend(addresses)
    return found


def _address(pattern: URLPattern, known: dict[str, Any]) -> str:
    """Return an address: an argument is known as `page:argument`, `family:argument` or by its name alone."""
    name = str(pattern.name)
    family = name.partition("-")[0]
    arguments = {
        key: next((known[each] for each in (f"{name}:{key}", f"{family}:{key}", key) if each in known), f"no {key}")
        for key in pattern.pattern.converters
    }
    return reverse(name, kwargs=arguments)


def _known(runs: Seeded, made: Crowd) -> dict[str, Any]:
    return {
        "name": "crowd",
        "part": "input",
        "old": "1.0.0",
        "new": "1.2.0",
        "version": "1.1.0",
        "run_id": runs.failed,
        "step_id": Step.objects.filter(run=runs.failed, name="charge").latest("id").pk,
        "approval:run_id": made.asked[0],
        "approval:step_id": made.asked[1],
        "workflow-start:name": "order",
        "action:name": made.action,
        "action-start:name": "test-speaks",
        "schedule:name": "crowd-tick-0",
        "run-resume:run_id": runs.waiting,
        "run-suspend:run_id": runs.waiting,
        "run-cancel:run_id": runs.waiting,
        "event_id": made.event,
        "delivery_id": made.delivery,
        "mute_id": made.mute,
        "notification_id": made.notification,
        "worker_id": made.worker,
        "batch_id": _batch(runs),
        "fingerprint": FailureGroup.objects.latest("last_seen_at").fingerprint,
    }


def _batch(runs: Seeded) -> UUID:
    choice = Choice(runs=(runs.failed,))
    return operations.start_batch(
        "resolve", choice, actor="user:test", reason="it is old", shown=1, as_of=timezone.now()
    )


def _more(runs: Seeded, made: Crowd) -> dict[str, list[str]]:
    """Return further addresses of pages that look different with them."""
    failed, succeeded = (reverse("run", args=[each]) for each in (runs.failed, runs.succeeded))
    return {
        "run": [
            *(f"{failed}?view={tab}" for tab in TABS), *(f"{succeeded}?view={tab}" for tab in ("timeline", "logs")),
            reverse("run", args=[runs.waiting]), reverse("run", args=[made.waiting]), reverse("run", args=[made.run]),
            reverse("run", args=[runs.pending]),
        ],
        "runs": ["/runs/?q=nothing-like-it", "/runs/?status=failed&since=24h", "/runs/?status=wrong"],
        "entry": [f"/datastore/entry/?{urlencode({'namespace': 'default', 'key': 'usr_1'})}"],
        "search": ["/search/?q=crow", "/search/?q=nothing-like-it"],
        "batch-new": [f"/batches/new/?verb=retry&run={runs.failed}"],
        "workflow-start": [f"/workflows/broken/start/?from={runs.failed}"],
        "password": ["/password/"],
        "missing": ["/nothing/"],
    }  # fmt: skip
