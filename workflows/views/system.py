"""Workers and queues: who works, what waits, what the house does; pause a queue, drain a worker."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods

from workflows import operations, queries, rules
from workflows.operations import OperationError
from workflows.queries import QueueRow, WorkerRow
from workflows.views import live
from workflows.views.answers import see_other
from workflows.views.guard import needs
from workflows.views.permissions import actor
from workflows.views.run_commands import NO_REASON, posted_reason, tell_refusal

TEMPLATES = {
    "notes": "system/_notes.html",
    "queues": "system/_queues.html",
    "workers": "system/_workers.html",
    "house": "system/_house.html",
}
RESTING = ("draining", "drained")
FORMS: dict[str, dict[str, Any]] = {
    "queue-pause": {
        "button": gettext_lazy("Pause the queue"),
        "title": gettext_lazy("Pause this queue?"),
        "explanation": gettext_lazy(
            "Within about a second none of its steps begins, on any host; steps that are running finish. Runs can "
            "still be started and cancelled, and events reach them. Clocks go on: a wait or a time limit that comes "
            "to its end meanwhile is looked at when the queue goes on."
        ),
    },
    "queue-resume": {
        "button": gettext_lazy("Resume the queue"),
        "title": gettext_lazy("Let this queue go on?"),
        "explanation": gettext_lazy("Its steps begin again at once, those that have been due longest first."),
        "css": "primary",
    },
    "worker-drain": {
        "button": gettext_lazy("Drain the worker"),
        "title": gettext_lazy("Drain this worker?"),
        "explanation": gettext_lazy(
            "It finishes the step that it has and takes no other, for as long as its process lives. Other workers go "
            "on; a worker that is started later is not drained."
        ),
    },
    "worker-undrain": {
        "button": gettext_lazy("Let it work"),
        "title": gettext_lazy("Let this worker take steps again?"),
        "explanation": gettext_lazy("It looks for due steps at once."),
        "css": "primary",
    },
}


@require_GET
@needs("workflows.view_worker")
def system(request: HttpRequest) -> HttpResponse:
    """Show the queues, the workers and the chores of the house."""
    built = _build(request, _facts())
    return live.varied(render(request, "system/system.html", {"fragments": built.fragments, **built.context}))


@require_GET
@needs("workflows.view_worker")
def system_live(request: HttpRequest) -> HttpResponse:
    """Answer the poller: nothing is rendered unless a fact changed that the page shows."""
    facts = _facts()
    return live.answer(request, _token(facts), lambda: _build(request, facts))


@require_http_methods(["GET", "POST"])
@needs("workflows.change_queue")
def pause(request: HttpRequest, queue: str) -> HttpResponse:
    """Ask for the reason, then let a queue rest."""
    row = _queue(queue)
    refusal = rules.pause_queue_refusal(paused=row.paused_at is not None)
    done = _("The queue %(queue)s is paused.") % {"queue": queue}
    if row.running:
        words = ngettext(
            "%(n)d step of it is running and finishes.", "%(n)d steps of it are running and finish.", row.running
        )
        done = f"{done} {words % {'n': row.running}}"
    about = {"heading": queue, "refusal": refusal, "note": ""}
    return _command(request, "queue-pause", about, lambda **by: operations.pause_queue(queue, **by), done)


@require_http_methods(["GET", "POST"])
@needs("workflows.change_queue")
def resume(request: HttpRequest, queue: str) -> HttpResponse:
    """Ask for the reason, then let a queue go on."""
    row = _queue(queue)
    refusal = rules.resume_queue_refusal(paused=row.paused_at is not None)
    about = {"heading": queue, "refusal": refusal, "note": row.reason}
    done = _("The queue %(queue)s goes on.") % {"queue": queue}
    return _command(request, "queue-resume", about, lambda **by: operations.resume_queue(queue, **by), done)


@require_http_methods(["GET", "POST"])
@needs("workflows.drain_worker")
def drain(request: HttpRequest, worker_id: UUID) -> HttpResponse:
    """Ask for the reason, then let a worker take no further step."""
    row = _worker(worker_id)
    refusal = rules.drain_refusal(stopped=False, draining=row.draining_at is not None)
    others = any(each.state not in RESTING and each.id != row.id for each in queries.workers())
    last = "" if others else _("No other worker takes steps now: nothing goes on until one does.")
    done = _("The worker %(worker)s takes no further step.") % {"worker": _name(row)}
    if row.step is not None:
        done = f"{done} {_('It finishes %(step)s.') % {'step': row.step_name}}"
    about = {"heading": _name(row), "refusal": refusal, "note": last}
    return _command(request, "worker-drain", about, lambda **by: operations.drain_worker(worker_id, **by), done)


@require_http_methods(["GET", "POST"])
@needs("workflows.drain_worker")
def undrain(request: HttpRequest, worker_id: UUID) -> HttpResponse:
    """Ask for the reason, then let a worker take steps again."""
    row = _worker(worker_id)
    refusal = rules.undrain_refusal(stopped=False, draining=row.draining_at is not None)
    done = _("The worker %(worker)s takes steps again.") % {"worker": _name(row)}
    about = {"heading": _name(row), "refusal": refusal, "note": ""}
    return _command(request, "worker-undrain", about, lambda **by: operations.undrain_worker(worker_id, **by), done)


def _facts() -> dict[str, Any]:
    return {
        "workers": queries.workers(),
        "queues": queries.queues(),
        "chores": queries.chores(),
        "database": queries.database(),
    }


def _token(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _build(request: HttpRequest, facts: Mapping[str, Any]) -> live.Live:
    workers, queues = facts["workers"], facts["queues"]
    context = {
        **facts,
        "all_drained": bool(workers) and all(worker.state in RESTING for worker in workers),
        "versions": len({worker.code_version for worker in workers}),
        "unserved": [queue for queue in queues if queue.due and not queue.workers and queue.paused_at is None],
    }
    rendered = live.fragments(request, TEMPLATES, context)
    return live.Live(rendered, reverse("system-live"), _token(facts), live.LIST_SECONDS, {})


def _command(
    request: HttpRequest, form: str, about: dict[str, Any], operation: Callable[..., None], done: str
) -> HttpResponse:
    reason = posted_reason(request)
    if request.method == "POST" and reason:
        try:
            operation(actor=actor(request), reason=reason)
        except OperationError as refused:
            tell_refusal(request, refused)
        else:
            messages.success(request, done)
        return see_other(reverse("system"))
    error = NO_REASON if request.method == "POST" else ""
    context = {
        **FORMS[form],
        **about,
        "error": error,
        "reason": request.POST.get("reason", ""),
        "action": request.path,
        "back": reverse("system"),
    }
    return render(request, "system/command.html", context, status=422 if error else 200)


def _queue(name: str) -> QueueRow:
    row = queries.queue(name)
    if row is None:
        raise Http404(f"Nothing names a queue {name}.")
    return row


def _worker(worker_id: UUID) -> WorkerRow:
    row = queries.worker(worker_id)
    if row is None:
        raise Http404(f"There is no worker {worker_id} now.")
    return row


def _name(row: WorkerRow) -> str:
    return f"{row.host}:{row.pid}"
