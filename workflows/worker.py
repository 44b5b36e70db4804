"""The worker: claim a due step, execute it, let the engine decide, record it, go on with the same run.

`work` is what django-q2 executes on a hint. It takes step after step until nothing is due, its time slice ends or the
cluster drains. Whatever happens to the process, the rows tell where to go on; see `checkpoint` and `claim`.
"""

import logging
import time
from contextlib import suppress

import psycopg
from django.conf import settings
from django.db import Error, connection

from workflows import claim, duty, processes, scheduling
from workflows.driving import drains, drive
from workflows.identity import Identity, identity
from workflows.outage import is_outage, troubles
from workflows.sharing import share

log = logging.getLogger(__name__)
SCHEDULES_SECONDS = 1.0  # between two looks at the schedules while steps are due
STAYS = 60  # time slices, after which a worker on duty goes back to django-q2, which may replace its process
BUSY = 3  # runs one after the other, from which on a worker does not listen besides
_duty = duty.Duty()


def introduce(**_: object) -> None:
    """Enter this process among the workers before there is work, so that people see it; else its first hint does."""
    try:
        identity()
    except (Error, psycopg.Error) as error:
        log.warning("this worker is not entered yet: %s", str(error).strip())
        connection.close()


def work() -> None:
    """Execute due steps. Called by django-q2 for each hint; does nothing when nothing is due.

    One worker of an idle cluster stays (`duty`). When the database goes away it waits for it, so that what was held is
    handed back as soon as it returns.
    """
    until = time.monotonic() + settings.TIME_SLICE_SECONDS
    try:
        while True:
            try:
                return _work(until)
            except Exception as error:
                if not is_outage(error):
                    raise
                troubles.wait(error)
    finally:
        _leave()


def _work(until: float) -> None:
    me = identity()
    _recover(me)
    look_at, in_a_row = 0.0, 0
    end = until + STAYS * settings.TIME_SLICE_SECONDS
    while not drains() and time.monotonic() < until:
        held = me.take()
        in_a_row = 0 if held is None else in_a_row + 1
        if held is not None:
            _duty.leave()
            if in_a_row == BUSY:
                _duty.rest()
            drive(held, me, until, None if held.crashes else share)  # what kills its worker is found alone
            troubles.over()
            _recover(me)
        if held is None or time.monotonic() >= look_at:  # after the first one: nobody who starts a run waits for it
            fired = scheduling.fire_due()
            look_at = time.monotonic() + SCHEDULES_SECONDS
            if held is None and not fired:
                if not _duty.stay(until, lambda: drains() or processes.task_waits()):
                    return
                until = min(time.monotonic() + settings.TIME_SLICE_SECONDS, end)


def _leave() -> None:
    """Keep nothing that others could do meanwhile; without the database, what is held ends with its lease."""
    _duty.leave()
    with suppress(Error, psycopg.Error):
        identity().put_back()
        _duty.rest()


def _recover(me: Identity) -> None:
    """After a lost connection, hand back what we may still hold."""
    if troubles.unsure:
        claim.release(me.id)
        me.forget()
        troubles.unsure = False
