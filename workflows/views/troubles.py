"""What is wrong with the machinery, in words, with the way out: the banner of the first page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workflows.queries import Health, QueueLine, WorkerRow
from workflows.queries.overview import MOST_BLOCKED
from workflows.templatetags.display import moment_text, number, seconds_text

LATE_SECONDS = 60
MOST_SHOWN = 4


@dataclass(frozen=True)
class Trouble:
    """A headline, what it means, and where to go."""

    tone: str
    title: str
    text: str
    address: str = ""
    link: str = ""


def troubles(
    health: Health, alive: Sequence[WorkerRow], queues: Sequence[QueueLine], *, may_manage: bool
) -> list[Trouble]:
    """Return what is wrong, the worst first; `may_manage`: the reader may open the page of the queues."""
    address = system_address() if may_manage else ""
    found = [*_workers(alive), *_housekeeper(health), *_blocked(health), *_queues(health, alive, queues, address)]
    return sorted(found, key=lambda trouble: trouble.tone != "failed")[:MOST_SHOWN]


def system_address() -> str:
    """Return where queues and workers are looked after, empty when there is no such page."""
    try:
        return reverse("system")
    except NoReverseMatch:
        return ""


def _workers(alive: Sequence[WorkerRow]) -> Iterator[Trouble]:
    if not alive:
        yield Trouble(
            "failed",
            _("No worker is running"),
            _(
                "Runs are recorded and wait; nothing is lost. Start the workers with %(first)s, or with %(second)s "
                "where the database is your own."
            )
            % {"first": "make up", "second": "manage.py cluster"},
        )


def _housekeeper(health: Health) -> Iterator[Trouble]:
    if health.still_since is not None:
        yield Trouble(
            "retrying",
            _("The housekeeper stands still since %(at)s") % {"at": moment_text(health.still_since, "short")},
            _("Charts and groups of failures are as of then; nothing is lost. It runs beside the workers."),
        )
    for name, error in health.failed_chores[:MOST_SHOWN]:
        title = _("A chore of the house failed: %(name)s") % {"name": name}
        yield Trouble("retrying", title, _("It is tried again. %(error)s") % {"error": error[:300]})


def _blocked(health: Health) -> Iterator[Trouble]:
    if health.blocked:
        count = f"{MOST_BLOCKED}+" if health.blocked >= MOST_BLOCKED else number(health.blocked)
        yield Trouble(
            "retrying",
            ngettext(
                "%(count)s step waits for code that no worker has",
                "%(count)s steps wait for code that no worker has",
                health.blocked,
            )
            % {"count": count},
            _("Start workers with the modules that define it; the runs then go on by themselves."),
            f"{reverse('runs')}?status=blocked",
            _("Show the runs"),
        )


def _queues(health: Health, alive: Sequence[WorkerRow], queues: Sequence[QueueLine], address: str) -> Iterator[Trouble]:
    for name, by in health.paused:
        title = _("The queue %(name)s is paused by %(by)s") % {"name": name, "by": by.partition(":")[2] or by}
        text = _("Its steps wait and nothing is lost; other queues go on.")
        yield Trouble("retrying", title, text, address, _("Open queue") if address else "")
    served = [each.queues for each in alive]
    for queue in queues:
        if queue.paused_by is not None or queue.oldest_seconds < LATE_SECONDS or not alive:
            continue
        waits = {"name": queue.name, "age": seconds_text(queue.oldest_seconds), "count": number(queue.due)}
        if not any(not names or queue.name in names for names in served):
            text = _("%(count)s steps are due, the oldest for %(age)s. Start workers for this queue.") % waits
            yield Trouble(
                "failed",
                _("No worker serves the queue %(name)s") % waits,
                text,
                address,
                _("Open queue") if address else "",
            )
        else:
            text = _("%(count)s steps are due. More workers would catch up sooner.") % waits
            title = _("The oldest step of the queue %(name)s has been due for %(age)s") % waits
            yield Trouble("retrying", title, text, address, _("Open queue") if address else "")
