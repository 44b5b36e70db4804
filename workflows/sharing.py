"""Shared commits: a worker executes short steps, of one run in a row and of several in turn, and records them together.

Only where a repeat does no harm: calls of actions that declare themselves `pure`. What acts on the outside is recorded
on its own, and at once. A commit costs what the disk takes, however much is in it; a statement for sixteen runs costs
little more than one for a single one, and a step behind another of its run costs one row, its links and nothing else.

A run never waits for company: a worker takes others along only once a step of its own was short, and only those that
are due anyway, as many again as a round has had, by the statement that records it. Nor does it wait in company for
longer than a few milliseconds: a round that takes longer is recorded as far as it came, and when a handler does not
come back in time, a thread of its own records what is done and puts back what was not begun, for another worker.
"""

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import psycopg
from django.conf import settings
from django.db import Error, connection

from workflows import calling, checkpoint, claim, execution, progress, pulse, recording, steps, wake
from workflows.checkpoint import CursorTooLarge, Ended, NextStep, Written
from workflows.claim import Claimed
from workflows.driving import Drive, guarded, starts_with_call
from workflows.engine.advance import Busy, Stale
from workflows.engine.messages import CallFunction, Done, Park, Undo
from workflows.functions.rest import Rest
from workflows.identity import Identity
from workflows.job import Job, action_at, load
from workflows.lessee import Happened, Lessee
from workflows.outage import gave_way, is_outage, troubles
from workflows.programs import ActionSpec
from workflows.rounds import TURN_SECONDS, Executed, Round

log = logging.getLogger(__name__)
MOST = 16
SHORT_SECONDS = 0.002  # a handler that takes longer has no company
STRANGERS_SECONDS = 0.1  # before a worker looks for company again where what is due cannot share commits


class _Usher(threading.Thread):
    """Breaks up rounds whose handler takes too long. Its connection is its own, and open only while it is needed."""

    def __init__(self, worker: Identity) -> None:
        super().__init__(name="usher", daemon=True)
        self.worker = worker
        self.round: Round | None = None
        self.busy = threading.Event()

    def run(self) -> None:
        """Look at the round under way, every few milliseconds."""
        while True:
            self.busy.wait()
            time.sleep(TURN_SECONDS / 2)
            under_way = self.round
            if under_way is not None:
                self._look(under_way)

    def _look(self, under_way: Round) -> None:
        if under_way.broken_up:
            return
        executed, waiting = under_way.break_up()
        if not under_way.broken_up:
            return
        try:
            _record_for_others(self.worker, under_way, executed, waiting)
        except (Error, psycopg.Error) as error:
            log.warning("a shared commit was not written, its steps are repeated: %s", str(error).strip())
            troubles.unsure = True
        except Exception:
            log.exception("a shared commit was not written, its steps are repeated")
            troubles.unsure = True
        finally:
            with suppress(Error):
                connection.close()
            under_way.settled.set()


class _Company:
    """What a worker process knows of those it takes along."""

    def __init__(self) -> None:
        self.look_at = 0.0
        self.usher: _Usher | None = None


_companies: dict[int, _Company] = {}


def share(before: Job, job: Job, me: Identity, lessee: Lessee) -> Job | None:
    """Go on with a job, and with others, if its steps can share commits; return it when it is to go on alone."""
    if not _was_short(before) or not _shares(job):
        return job
    try:
        _in_company(job, me, lessee, _companies.setdefault(me.pid, _Company()))
        return None
    except Exception as error:
        if not is_outage(error):  # each is taken alone from now on, and whose fault it was is found out
            claim.bury(me.id, f"The worker could not go on in company: {type(error).__name__}")
        raise


def _nothing_ahead() -> None:
    """Claim nothing beside a step that is recorded alone: it would wait for all that are held together."""


def _in_company(job: Job, me: Identity, alone: Lessee, company: _Company) -> None:
    lessee, jobs = replace(alone, ahead=_nothing_ahead), [job]
    while jobs:
        under_way = _executed(jobs, me, lessee, company)
        looks = time.monotonic() >= company.look_at and lessee.keep()
        jobs, found = _recorded(under_way, me, lessee, alone.ahead() if looks else None)
        joined = _joined(found, me, lessee)
        jobs += joined
        if len(joined) < len(found):
            company.look_at = time.monotonic() + STRANGERS_SECONDS


def _was_short(job: Job) -> bool:
    return job.came is not None and job.came.seconds < SHORT_SECONDS and _repeatable(job.action)


def _shares(job: Job) -> bool:
    held = job.held
    unusual = held.over or held.stopped or held.crashes or held.cut_off or held.wake or held.branch_parent is not None
    return job.kind == "call" and not unusual and _repeatable(job.action) and execution.known(job)


def _repeatable(action: ActionSpec | None) -> bool:
    """Tell whether a step can be repeated without harm when the commit of its round is lost."""
    return action is not None and action.effect == "pure" and not action.transactional and action.on_crash != "park"


def _joined(found: Sequence[Claimed], me: Identity, lessee: Lessee) -> list[Job]:
    """Return the claimed steps that can share commits, as jobs; the others are put back."""
    jobs = [(held, _join(held, lessee)) for held in found]
    claim.give_back(me.id, [held.step for held, job in jobs if job is None])
    return [job for _, job in jobs if job is not None]


def _join(held: Claimed, lessee: Lessee) -> Job | None:
    """Return the job of a step that can share commits. Whoever takes one alone that cannot be read finds out why."""
    if held.over or held.stopped:
        return None
    try:
        job = load(held)
        if job.kind == "start":
            result = steps.begin(job)
            if not starts_with_call(result, lessee):
                return None
            assert isinstance(result.command, CallFunction)  # noqa: S101 - for mypy
            job.become(result.command, result)
    except Exception as error:
        if is_outage(error):
            raise
        return None
    return job if _shares(job) else None


def _executed(jobs: Sequence[Job], me: Identity, lessee: Lessee, company: _Company) -> Round:
    """Execute a step of each run; those that cannot be recorded with the others are recorded alone."""
    under_way = Round(jobs)
    with _watched(under_way, me, company):
        while (job := under_way.turn()) is not None:
            _take_turn(job, under_way, me, lessee)
    if under_way.broken_up:
        under_way.settled.wait()
    return under_way


def _take_turn(first: Job, under_way: Round, me: Identity, lessee: Lessee) -> None:
    """Execute a step of a run and, while there is time, those that follow it and can be recorded with it."""
    job: Job | None = first
    while job is not None:
        lost, began, behind = threading.Event(), time.monotonic(), under_way.on_the_way
        with me.heartbeat.renewing(job.held.step, job.held.claim, lost):
            happened = calling.attempt(job, lost)
        executed = _decided(job, happened, lessee, behind, began)
        if executed is None or not under_way.add(executed):
            under_way.following += _left_out(job, happened, under_way, me, lessee)
            return
        job = _behind(executed, under_way)


def _behind(executed: Executed, under_way: Round) -> Job | None:
    """Return the job of the step that follows, if it has its turn before the others."""
    job, wanted = executed.job, executed.wanted
    if not wanted.next or wanted.next[0].worker is None:
        return None
    following = recording.followed(job, wanted, executed.result, Written(job.now(), job.held.run_state))
    if following is None or not _shares(following) or not under_way.goes_on(executed):
        return None
    following.held.revision = executed.first.held.revision  # one checkpoint moves the branch once
    return following


def _left_out(job: Job, happened: Happened, under_way: Round, me: Identity, lessee: Lessee) -> list[Job]:
    """Record what cannot be recorded with the others: alone, and once what it began behind is recorded."""
    if under_way.on_the_way is None:
        return _recorded_alone(job, happened, me, lessee)
    if under_way.fail(happened):
        return []
    under_way.settled.wait()
    gone_on = under_way.gone_on
    return _recorded_alone(gone_on, happened, me, lessee) if gone_on is not None else []


class _watched:  # noqa: N801 - a context manager, cheaper than one made of a generator
    def __init__(self, under_way: Round, me: Identity, company: _Company) -> None:
        if company.usher is None:
            company.usher = _Usher(me)
            company.usher.start()
        self.usher, self.under_way = company.usher, under_way

    def __enter__(self) -> None:
        self.usher.round = self.under_way
        self.usher.busy.set()

    def __exit__(self, *_: object) -> None:
        self.usher.busy.clear()
        self.usher.round = None


def _decided(job: Job, happened: Happened, lessee: Lessee, behind: Executed | None, began: float) -> Executed | None:
    """Return the checkpoint of a step, if it is one that can be written together with others."""
    if happened.failure is not None or isinstance(happened.output, Rest):
        return None
    try:
        result = job.advance(Done(job.key, happened.output))
    except (Stale, Busy):
        return None
    if isinstance(result.command, Park | Undo):
        return None
    wanted = progress.succeeded(job, happened, result, lessee)
    if not recording.alone(job, wanted, result) or not checkpoint.fits(wanted):
        return None
    for step in wanted.next:
        if not _goes_on(step):
            step.worker = None
    if behind is None:
        return Executed(job, happened, time.monotonic(), job, result, wanted)
    ended = Ended(behind.wanted.next[0], wanted.step, began, time.monotonic())
    both = checkpoint.joined(behind.wanted, wanted)
    return Executed(behind.first, behind.came, behind.done, job, result, both, [*behind.ended, ended])


def _goes_on(step: NextStep) -> bool:
    return step.kind == "call" and _repeatable(action_at(step.action_version, step.function))


def _recorded(
    under_way: Round, me: Identity, lessee: Lessee, place: tuple[str, int] | None
) -> tuple[list[Job], list[Claimed]]:
    """Write the checkpoints of a round in one commit, and claim others for the next round where it has room.

    Return what follows, and what was claimed. Who could not take part goes alone.
    """
    executed, no_turn = under_way.end()
    following = [*under_way.following, *no_turn]
    try:
        written, taken = _write(executed, None if no_turn else _taking(executed, len(following), place, me))
    except (CursorTooLarge, Error, psycopg.Error) as error:
        if is_outage(error) and not gave_way(error):
            raise
        written, taken = [None] * len(executed), []
    for one, its in zip(executed, written, strict=True):
        if its is None:
            following += _recorded_alone(one.first, one.came, me, lessee)
        elif (job := recording.followed(one.job, one.wanted, one.result, its)) is not None:
            following += _kept([job], me) if one.failed is None else _recorded_alone(job, one.failed, me, lessee)
    if any(step.worker is None and step.state == "ready" for one in executed for step in one.wanted.next):
        wake.workers()
    return following, taken


def _taking(
    executed: Sequence[Executed], others: int, place: tuple[str, int] | None, me: Identity
) -> checkpoint.Taking | None:
    """Return how many to claim with the commit of a round, so that the next has twice as many runs."""
    go_on = others + sum(any(step.worker is not None for step in one.wanted.next) for one in executed)
    room = min(MOST, 2 * (others + len(executed))) - go_on
    if place is None or room <= 0:
        return None
    pulse.beat()
    return checkpoint.Taking(*place, me.id, room)


def _write(executed: Sequence[Executed], taking: checkpoint.Taking | None = None) -> checkpoint.WrittenMany:
    items = [one.item for one in executed]
    return checkpoint.write_many(items, settings.LEASE_SECONDS, taking) if items else checkpoint.WrittenMany([], [])


def _recorded_alone(job: Job, happened: Happened, me: Identity, lessee: Lessee) -> list[Job]:
    """Record one step in a commit of its own; what follows it stays here only if it can share commits again."""
    at, found = Drive(job.held, job), list[Job]()

    def record() -> None:
        following = calling.keep(job, happened, lessee)
        found.extend([following] if following is not None else [])

    guarded(at, me, record)
    return _kept(found, me)


def _kept(jobs: Sequence[Job], me: Identity) -> list[Job]:
    """Return the jobs that go on in company; the others are put back, for whoever takes them alone."""
    claim.give_back(me.id, [one.held.step for one in jobs if not _shares(one)])
    return [one for one in jobs if _shares(one)]


def _record_for_others(me: Identity, under_way: Round, executed: Sequence[Executed], waiting: Sequence[Job]) -> None:
    """Write what a round has come to while its worker is busy; its runs go on with whoever takes them.

    But for the run whose step keeps it busy.
    """
    for one in executed:
        for step in one.wanted.next if one is not under_way.on_the_way else ():
            step.worker = None
    written = _write(executed).items
    for one, its in zip(executed, written, strict=True):
        if its is not None and one is under_way.on_the_way:
            under_way.gone_on = recording.followed(one.job, one.wanted, one.result, its)
    lost = [one.first.held.step for one, its in zip(executed, written, strict=True) if its is None]
    claim.give_back(me.id, [*lost, *(job.held.step for job in waiting)])
    wake.workers()
