"""Events are taken once, timers are never early, a moment of a schedule starts one run."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.chaos.evidence import Evidence

TICK = timedelta(seconds=1)
LEFT_OUT = "more than 100"
WAITS: dict[str, Callable[[Any], float]] = {
    "chaos-order": lambda _: 0.15,
    "chaos-slow": lambda given: float(given["rest"][2:-1]),
}


def an_event_is_taken_once(evidence: Evidence) -> Iterator[str]:
    for (source, number), count in Counter((event.source, event.event_id) for event in evidence.inbox).items():
        if count > 1:
            yield f"the event {number} of {source} is there {count} times"
    for run, events in evidence.view.hooks.items():
        if len(events) > 1:
            yield f"the webhook of run {run} made {len(events)} events of one delivery"


def an_acknowledged_event_exists(evidence: Evidence) -> Iterator[str]:
    known = {(event.event_id, event.run) for event in evidence.inbox}
    for number, run in evidence.view.events.items():
        if (number, run) not in known:
            yield f"the event {number} for run {run} was acknowledged, and is not there"
    for run in evidence.view.hooks:
        if not any(event.run == run for event in evidence.inbox):
            yield f"the webhook of run {run} was acknowledged, and its event is not there"


def an_event_is_handed_out_once(evidence: Evidence) -> Iterator[str]:
    handed = Counter((row.run, row.step, row.event) for row in evidence.messages if row.kind == "event")
    for (where, step, event), count in handed.items():
        if count > 1:
            yield f"event {event} was handed {count} times to step {step} of run {where}"
    consumed = Counter(row.run for row in evidence.messages if row.kind == "event" and row.consumed)
    for run in evidence.runs:
        if run.name in ("chaos-order", "chaos-hook") and run.state == "succeeded" and consumed[run.id] != 1:
            yield f"{run.name} {run.id} consumed {consumed[run.id]} events"


def an_emitted_event_starts_one_run(evidence: Evidence) -> Iterator[str]:
    emitted = sum(step.kind == "emit" and step.state == "succeeded" for step in evidence.steps)
    there = sum(event.type == "chaos.emitted" for event in evidence.inbox)
    started = sum(run.name == "chaos-on" for run in evidence.runs)
    if not emitted == there == started:
        yield f"{emitted} events were emitted, {there} are there, and they started {started} runs"


def a_moment_starts_one_run(evidence: Evidence) -> Iterator[str]:
    for (schedule, at), count in Counter((fire.schedule, fire.nominal_at) for fire in evidence.fires).items():
        if count > 1:
            yield f"{evidence.schedules.get(schedule)} fired {count} times at {at}"
    fired = Counter(fire.run for fire in evidence.fires if fire.run)
    for run in evidence.runs:
        if run.name in ("chaos-tick", "chaos-on") and fired[run.id] != 1:
            yield f"{run.name} {run.id} belongs to {fired[run.id]} moments"
    for fire in evidence.fires:
        if not fire.skipped and (fire.run is None or fire.run not in evidence.run):
            yield f"{evidence.schedules.get(fire.schedule)} fired at {fire.nominal_at}, and its run is not there"


def no_moment_is_lost(evidence: Evidence) -> Iterator[str]:
    """The clock's schedule makes up for all it misses, so its moments follow each other without a gap.

    Only the last hundred are made up for; that others were left out is in the audit trail.
    """
    said = [event.data for event in evidence.told if event.kind == "schedule.skipped"]
    left_out = {(data["from"], data["to"]) for data in said if data["moments"] == LEFT_OUT}
    moments: dict[str, list[datetime]] = defaultdict(list)
    for fire in evidence.fires:
        if evidence.schedules.get(fire.schedule) == "chaos-tick":
            moments[fire.schedule].append(fire.nominal_at)
    for found in moments.values():
        for before, after in pairwise(sorted(found)):
            if after - before != TICK and ((before + TICK).isoformat(), after.isoformat()) not in left_out:
                yield f"between {before} and {after} nothing was started"


def a_timer_is_never_early(evidence: Evidence) -> Iterator[str]:
    fired = {event.run for event in evidence.told if event.kind == "timer.fired"}
    for step in evidence.steps:
        run = evidence.run.get(step.run)
        if step.kind != "wait" or step.state != "succeeded" or run is None or run.name not in WAITS:
            continue
        if step.run not in fired and step.due < WAITS[run.name](run.input):
            yield f"a wait in {run.name} {run.id} was due {step.due:.3f} s after the start of the run"
        if step.late is not None and step.late < 0:
            yield f"a wait in {run.name} {run.id} ended {-step.late:.3f} s early"


INVARIANTS = (
    an_event_is_taken_once,
    an_acknowledged_event_exists,
    an_event_is_handed_out_once,
    an_emitted_event_starts_one_run,
    a_moment_starts_one_run,
    no_moment_is_lost,
    a_timer_is_never_early,
)
