"""The chore that does the verifications of the whole trail that people asked for.

One that whoever did it has left, and that gave no sign since, begins again.
"""

import logging
import uuid
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from audit.models import Verification
from audit.recording import TRAIL, record
from dotdo_site.lib import signs
from workflows import draining, verifying
from workflows.outage import is_away
from workflows.verifying import Report

log = logging.getLogger(__name__)
EVERY_SECONDS = 5.0
SILENT = timedelta(minutes=10)
KEPT = 100  # findings that are kept in words
SYSTEM = "system"


class Draining(Exception):
    """This process ends: another one does it."""


def do_asked() -> None:
    """Do the oldest verification that nobody does."""
    left = Q(state="waiting") | Q(state="running", beat_at__lt=Now() - SILENT)
    row = Verification.objects.filter(left).order_by("id").first()
    if row is None:
        return
    mine = Verification.objects.filter(left, pk=row.pk)
    if mine.update(state="running", began_at=Now(), beat_at=Now(), events=0, chains=0):
        _do(row.pk)


def _do(number: uuid.UUID) -> None:
    def told(events: int, chains: int) -> None:
        signs.give()
        Verification.objects.filter(pk=number).update(events=events, chains=chains, beat_at=Now())
        if draining.requested():
            raise Draining

    try:
        _end(number, verifying.examine(told=told))
    except Draining:
        Verification.objects.filter(pk=number).update(state="waiting")
    except Exception as error:
        if is_away(error):
            raise
        log.exception("the verification %s failed", number)
        note = f"{type(error).__name__}: {error}"
        Verification.objects.filter(pk=number).update(state="failed", ended_at=Now(), note=note)


def _end(number: uuid.UUID, found: Report) -> None:
    state = "broken" if found.wrong else "intact"
    Verification.objects.filter(pk=number).update(
        state=state,
        ended_at=Now(),
        beat_at=Now(),
        events=found.events,
        chains=found.chains,
        seals=found.seals,
        found=len(found.wrong),
        findings=found.wrong[:KEPT],
        note=found.anchor.sentence() if found.anchor else "",
    )
    data = {"verification": str(number), "state": state, "events": found.events, "found": len(found.wrong)}
    record(chain=TRAIL, kind="audit.verified", actor=SYSTEM, data=data)
