"""django-q2 by itself, with its ORM broker; a run is a chain, whose next task is enqueued when one was saved.

Tuned: connections and workers stay (no recycling), ten tasks are fetched at once, the broker is asked every 10 ms
instead of every 200, and every result is kept (0: without counting them at each one; a chain whose results are not
saved does not go on). A task is done at least once; a chain whose monitor dies may stop.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import version

import django
from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from bench.peers import course
from bench.peers.course import Setting
from bench.peers.django_database import database
from bench.peers.marks import STEPS, mark

POLL_SECONDS = 0.01

if not settings.configured:
    settings.configure(
        INSTALLED_APPS=["django_q"],
        DATABASES=database(),
        SECRET_KEY="bench",
        USE_TZ=True,
        LOGGING_CONFIG=None,
        Q_CLUSTER={
            "name": "bench",
            "orm": "default",
            "workers": int(sys.argv[2]) if sys.argv[1] == "worker" else 1,
            "poll": POLL_SECONDS,
            "bulk": 10,
            "recycle": 1_000_000_000,
            "save_limit": 0,
            "timeout": 60,
            "retry": 120,
            "log_level": "ERROR",
            "scheduler": False,
        },
    )
    django.setup()


def step(key: str, number: int) -> int:
    """Mark."""
    mark(key, number)
    return number


class Peer:
    """A queue with one cluster."""

    settings = (Setting(1, 2), Setting(1, 4))
    repeat = None

    def setup(self) -> None:
        """Make its tables."""
        call_command("migrate", verbosity=0)

    def workers(self, setting: Setting) -> list[list[str]]:
        """Return clusters of so many worker processes."""
        return [course.own("django_q2", "worker", setting.concurrency)] * setting.processes

    def connect(self, setting: Setting, workers: Sequence[object]) -> None:
        """Nothing to do."""

    def backlog(self, keys: Sequence[str]) -> None:
        """Enqueue all chains in one transaction."""
        with transaction.atomic():
            for key in keys:
                self.start(key)

    def start(self, key: str) -> None:
        """Enqueue a chain."""
        from django_q.tasks import async_chain

        chain = [("bench.peers.django_q2.step", (key, number)) for number in range(1, STEPS + 1)]
        async_chain(chain)  # type: ignore[no-untyped-call]


def main() -> None:
    """Be a cluster, or run the course."""
    if sys.argv[1] == "worker":
        call_command("qcluster", verbosity=0)
    else:
        course.main(Peer(), version("django-q2"))


if __name__ == "__main__":  # as the module that workers import, so that tasks have one name
    importlib.import_module("bench.peers.django_q2").main()
