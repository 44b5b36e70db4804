"""Every invariant of the chaos runs can fail: on rows that are damaged in the way that it looks for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.chaos import invariants
from tests.chaos.evidence import Attempt, Break, Effect, Evidence, Fire, Key, Message, Undo
from tests.chaos.sinks import Delivery
from tests.unit.chaos.rows import MOMENT, sound


def change(rows: list[Any], number: int, **values: Any) -> None:
    rows[number] = rows[number]._replace(**values)


def of(rows: list[Any], run: str) -> int:
    return next(number for number, row in enumerate(rows) if getattr(row, "id", None) == run or row.run == run)


def step(evidence: Evidence, run: str, **values: Any) -> None:
    change(evidence.steps, next(n for n, row in enumerate(evidence.steps) if row.run == run), **values)


def run(evidence: Evidence, id: str, **values: Any) -> None:  # noqa: A002 - what the row calls it
    change(evidence.runs, next(n for n, row in enumerate(evidence.runs) if row.id == id), **values)


def event(evidence: Evidence, run: str, which: str, **values: Any) -> None:
    number = next(n for n, row in enumerate(evidence.told) if row.run == run and row.kind == which)
    change(evidence.told, number, **values)


DAMAGE: dict[str, Callable[[Evidence], Any]] = {
    "an acknowledged start exists": lambda e: e.view.starts["key-mail"].runs.add("lost"),
    "one key has one run": lambda e: e.keys.append(Key("workflow:chaos-mail", "key-mail", "other")),
    "no run has a key that nobody sent": lambda e: run(e, "mail", key="invented"),
    "a right request is never refused": lambda e: e.view.refused("start", 422, {"detail": "no"}),
    "a run ends as its construct says": lambda e: run(e, "order", output={"n": 2}),
    "what an operator did lasts": lambda e: e.view.commands["mail"].append("cancellation"),
    "the first answer counts": lambda e: e.view.answers["ask"].insert(0, "rejected"),
    "every run ends or is a dead letter": lambda e: run(e, "mail", state="waiting"),
    "an ended run has nothing open": lambda e: step(e, "mail", state="waiting"),
    "a failed run is a dead letter": lambda e: run(e, "mail", state="failed"),
    "a dead letter is a failed run": lambda e: step(e, "mail", state="failed"),
    "no lease is left": lambda e: step(e, "mail", state="running"),
    "children count once": lambda e: run(e, "child", parent_step="elsewhere"),
    "joins count every branch": lambda e: change(e.branches, of(e.branches, "mail"), open=1),
    "attempts are numbered once": lambda e: e.attempts.append(e.attempts[0]),
    "a transactional effect happens exactly once": lambda e: e.ledger.append(e.ledger[0]),
    "a transactional effect is in the trail": lambda e: event(e, "write", "step.succeeded", kind="step.retrying"),
    "an effect outside happens at least once": lambda e: e.deliveries.clear(),
    "the sink knows no key that nobody has": lambda e: e.deliveries.append(Delivery("x:/do/y:0", 1, "y", 200)),
    "one claim calls once": lambda e: e.deliveries.append(e.deliveries[0]),
    "the fence of a living attempt never falls": lambda e: e.attempts.append(Attempt("s", 1, "failed", "stale")),
    "a mail is sent at least once": lambda e: e.mails.clear(),
    "in calm everything arrives once": lambda e: e.deliveries.append(replace(e.deliveries[0], fence=2)),
    "what is undone is what was done": lambda e: e.ledger.append(Effect(9, "saga", "/do/two", "two", False)),
    "a compensation is done once": lambda e: e.undos.append(Undo("saga", "/do/one", "done")),
    "a counter counts every increment": lambda e: change(e.entries, 0, value=2),
    "a dead letter tells somebody once": lambda e: e.notices.clear(),
    "the outbox is handled": lambda e: change(e.notices, 0, state="new"),
    "a notification that was sent has arrived": lambda e: e.mails.pop(),
    "an event is taken once": lambda e: e.inbox.append(e.inbox[0]),
    "an acknowledged event exists": lambda e: e.inbox.pop(0),
    "an event is handed out once": lambda e: e.messages.append(Message(3, "order", "order/paid", "event", "e1", True)),
    "an emitted event starts one run": lambda e: e.runs.append(e.run["on"]._replace(id="twice")),
    "a moment starts one run": lambda e: e.fires.append(Fire("s1", MOMENT, "tick", False)),
    "no moment is lost": lambda e: change(e.fires, 1, nominal_at=MOMENT + timedelta(seconds=2)),
    "a timer is never early": lambda e: step(e, "slow", late=-0.1),
    "every chain is whole": lambda e: e.broken.append(Break("mail", 0, "changed")),
    "a branch knows the end of its chain": lambda e: e.heads.update(mail=(7, b"")),
    "no link is missing": lambda e: event(e, "mail", "run.succeeded", seq=9),
    "the trail of a run is legal and leads to its state": lambda e: event(
        e, "mail", "run.succeeded", kind="run.resumed"
    ),
    "a step ends once": lambda e: e.told.append(e.told[-1]._replace(kind="step.succeeded", data={"step": "/do/mail"})),
}


def test_a_sound_round_breaks_nothing() -> None:
    assert invariants.violations(sound()) == {}


@pytest.mark.parametrize("title", [invariants.name(invariant) for invariant in invariants.INVARIANTS])
def test_every_invariant_can_fail(title: str) -> None:
    evidence = sound()
    DAMAGE[title](evidence)
    assert title in invariants.violations(evidence)


def test_there_are_at_least_those_of_the_design_and_each_has_a_name_of_its_own() -> None:
    names = [invariants.name(invariant) for invariant in invariants.INVARIANTS]
    assert len(names) == len(set(names)) == len(DAMAGE)
    assert len(names) >= 20


def test_an_undo_whose_answer_was_lost_with_the_connection_is_known_from_the_trail() -> None:
    evidence = sound()
    run(evidence, "saga", output=None)
    title = "what is undone is what was done"
    assert title in invariants.violations(evidence)
    event(evidence, "saga", "run.succeeded", kind="run.undo_requested")
    assert title not in invariants.violations(evidence)
