"""django-tasks with its database backend; a run is a chain, each task enqueues the next.

Tuned: connections stay open, and workers look every 10 ms instead of every second. Each step is three transactions that
are not atomic with each other.
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
        INSTALLED_APPS=["django_tasks", "django_tasks_db"],
        DATABASES=database(),
        TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
        USE_TZ=True,
        LOGGING_CONFIG=None,
    )
    django.setup()

if __name__ != "__main__":  # tasks are found by the name of their module
    from django_tasks import task

    @task()
    def step(key: str, number: int) -> None:
        """Mark, and enqueue the next."""
        mark(key, number)
        if number < STEPS:
            step.enqueue(key, number + 1)


class Peer:
    """A queue with worker processes."""

    settings = (Setting(2), Setting(4))
    repeat = None

    def setup(self) -> None:
        """Make its tables."""
        call_command("migrate", verbosity=0)

    def workers(self, setting: Setting) -> list[list[str]]:
        """Return its own workers, each of which does one task at a time."""
        return [course.own("django_tasks", "worker")] * setting.processes

    def connect(self, setting: Setting, workers: Sequence[object]) -> None:
        """Nothing to do."""

    def backlog(self, keys: Sequence[str]) -> None:
        """Enqueue the first task of each run, all in one transaction."""
        with transaction.atomic():
            for key in keys:
                self.start(key)

    def start(self, key: str) -> None:
        """Enqueue the first task."""
        step.enqueue(key, 1)


def main() -> None:
    """Be a worker, or run the course."""
    if sys.argv[1] == "worker":
        call_command("db_worker", interval=POLL_SECONDS, startup_delay=False, verbosity=0)
    else:
        course.main(Peer(), f"{version('django-tasks')}, django-tasks-db {version('django-tasks-db')}")


if __name__ == "__main__":  # as the module that workers import, so that tasks have one name
    importlib.import_module("bench.peers.django_tasks").main()
