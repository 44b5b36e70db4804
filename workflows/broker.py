"""The one door to django-q2: a broker that hands idle workers a hint, "something is due", a step or a schedule;
workers claim by themselves.

A hint carries nothing and may be lost or doubled. Nothing is taken from the database here, so nothing can be lost when
one of django-q2's processes dies. One idle worker listens by itself (`duty`) and needs no hint. Where none does, what
is heard is passed on at once, before asking what is due: the worker asks anyway, and a run that starts on an idle
cluster waits for every question in between. Tasks that an application enqueues by itself (`async_task`) still go
through django-q2's own table, looked at once per poll interval.
"""

import logging
import time
import uuid
from typing import Any

import psycopg
from django.conf import settings
from django.db import Error, connection
from django.db.models.functions import Now
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from workflows import claim, draining, duty, outage, pulse, scheduling
from workflows.listener import Listener

log = logging.getLogger(__name__)
WORK = "workflows.worker.work"
LONGEST_SECONDS = 1.0  # without a look at the tables, whatever is heard
DRAINING_SECONDS = 0.05
CLAIMING_SECONDS = 0.004  # a worker that was woken claims within it: asking sooner would wake another one in vain
RINGING_SECONDS = 0.05  # who is on duty and was told of something due is not the one to tell of it again
ALONE_SECONDS = 0.1  # of rest without anybody on duty: whoever has just worked takes it again by itself
LONG_ALONE_SECONDS = 10.0  # the same once somebody was asked and did not come: all may be busy
UNASKED_SECONDS = 0.05  # the longest without a question, however much is heard: not all that is due is notified


class HintBroker(ORM):
    """Answers django-q2's pusher: hints while steps are due, otherwise sleep until something is."""

    def __init__(self, list_key: str = "") -> None:
        super().__init__(list_key or str(Conf.CLUSTER_NAME))
        self._listener = Listener()
        self._in_vain = 0
        self._asked_at = 0.0
        self._rung_at = self._alone_until = 0.0
        self._was_taken = True  # whether anybody was on duty since a hint asked for it
        self._unasked_until = 0.0  # hints follow each other by hearsay
        self._queues = frozenset(settings.WORKER_QUEUES)

    def dequeue(self) -> list[tuple[Any, str]] | None:
        """Return a hint when something is due, tasks of applications, or None after having slept. Never raises."""
        if draining.requested():  # nobody takes what is sent now
            time.sleep(DRAINING_SECONDS)
            return None
        try:
            found = self._dequeue()
        except (Error, psycopg.Error) as error:
            log.warning("the database is away, asking again: %s", str(error).strip())
            connection.close()
            time.sleep(outage.pause(self._in_vain))
            self._in_vain += 1
            return None
        self._in_vain = 0
        return found

    def _dequeue(self) -> list[tuple[Any, str]] | None:
        self._listener.listen()  # before asking: what becomes due afterwards is notified
        if time.monotonic() < self._unasked_until and self._listener.wait(CLAIMING_SECONDS):
            return [(None, _hint())]
        self._unasked_until = 0.0
        waits = [seconds for queue, _, seconds in claim.pairs() if not self._queues or queue in self._queues]
        scheduled = scheduling.wait_seconds()
        waits += [] if scheduled is None else [scheduled]
        if any(seconds <= 0 for seconds in waits):
            return self._due()
        return self._tasks() or self._rest(min([settings.POLL_SECONDS, LONGEST_SECONDS, *waits]))

    def _due(self) -> list[tuple[Any, str]] | None:
        """Tell the worker on duty, once; if that does not help, or there is none, another one."""
        self._listener.discard()
        now = time.monotonic()
        if now - self._rung_at > RINGING_SECONDS and duty.taken():
            self._rung_at = now
            duty.ring()
            time.sleep(CLAIMING_SECONDS)
            return None
        return [(None, _hint())]

    def _rest(self, pause: float) -> list[tuple[Any, str]] | None:
        """Sleep until something is due or heard. Nobody is on duty when nobody was asked to: then a hint says so."""
        hint = _hint()  # signed before somebody waits for it
        on_duty = duty.taken()
        if on_duty or not (duty.possible() and self._listener.hears) or pulse.all_drained():
            self._alone_until = 0.0
        elif not self._alone_until:
            self._alone_until = time.monotonic() + (ALONE_SECONDS if self._was_taken else LONG_ALONE_SECONDS)
        elif time.monotonic() >= self._alone_until:
            self._alone_until, self._was_taken = 0.0, False
            return [(None, hint)]
        self._was_taken |= on_duty
        heard = self._listener.wait(max(0.0, min(pause, ALONE_SECONDS) if self._alone_until else pause))
        if heard and on_duty:
            time.sleep(CLAIMING_SECONDS)
        if not heard or on_duty or self._queues:  # what was heard may be about a queue that is not ours
            return None
        self._unasked_until = time.monotonic() + UNASKED_SECONDS
        return [(None, hint)]

    def _tasks(self) -> list[tuple[Any, str]] | None:
        if time.monotonic() - self._asked_at < settings.POLL_SECONDS:
            return None
        self._asked_at = time.monotonic()
        if not OrmQ.objects.filter(key=self.list_key, lock__lte=Now()).exists():
            return None
        tasks: list[tuple[Any, str]] | None = super().dequeue()  # type: ignore[no-untyped-call]
        return tasks


def _hint() -> str:
    package: str = SignedPackage.dumps(
        {
            "id": uuid.uuid4().hex,
            "name": "work",
            "func": WORK,
            "args": (),
            "kwargs": {},
            "started": timezone.now(),
            "save": False,
        }
    )
    return package
