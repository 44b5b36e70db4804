"""A small piece of evidence in which every promise is kept, made of what a calm round leaves."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.evidence import (
    Attempt,
    Branch,
    Effect,
    Entry,
    Event,
    Evidence,
    Fire,
    Key,
    Mail,
    Message,
    Notice,
    Notification,
    Run,
    Step,
    Told,
    Undo,
)
from tests.chaos.mix import Start
from tests.chaos.sinks import Delivery
from tests.chaos.view import Acknowledged, View

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = b"h" * 32


def sound() -> Evidence:
    """Return evidence of a run of each kind that an invariant looks at."""
    made = _Maker()
    made.run("write", "chaos-write", {"name": "w1"}, {"name": "w1"}, calls=[("chaos-write", "w1")])
    made.run("order", "chaos-order", {"n": 1, "word": "w1"}, {"n": 1, "name": "w1"}, calls=[("chaos-http", "charge")])
    made.run("hook", "chaos-hook", {"n": 1, "word": "w1"}, {"n": 1, "name": "w1"})
    made.run("loop", "chaos-loop", {"n": 1, "items": 1}, {"n": 1, "turn": 4}, calls=[("datastore.incr", "loops")])
    made.run("mail", "chaos-mail", {"n": 1}, {"n": 1}, calls=[("chaos-send", "mail")])
    made.run(
        "saga", "chaos-saga", {"n": 1, "fail": True}, {"state": "undone"}, calls=[("chaos-write", "one")], undo=True
    )
    made.run("parent", "chaos-parent", {"n": 1}, {"n": 2}, calls=[("run", "below")])
    made.run("child", "chaos-child", {"n": 1}, {"n": 2}, trigger="workflow", parent="parent/below")
    made.run("ask", "chaos-approval", {"n": 1, "word": "w1"}, {"name": "approved"})
    made.run("tick", "chaos-tick", {}, None, trigger="schedule")
    made.run("tock", "chaos-tick", {}, None, trigger="schedule")
    made.run("emit", "chaos-emit", {"n": 1}, {"n": 1}, calls=[("emit", "tell")])
    made.run("on", "chaos-on", [], None, trigger="schedule")
    made.run("slow", "chaos-slow", {"n": 1, "rest": "PT0.3S", "then": "leave"}, {"n": 1}, calls=[("wait", "rest")])
    made.run(
        "doomed", "chaos-doomed", {"n": 1, "then": "leave"}, None, calls=[("chaos-refuse", "never")], state="failed"
    )
    made.run("gone", "chaos-slow", {"n": 2, "rest": "PT0.3S", "then": "cancel"}, None, state="cancelled")
    return made.around()


class _Maker:
    def __init__(self) -> None:
        self.evidence = Evidence(calm=True)

    def run(
        self,
        id: str,  # noqa: A002 - what the row calls it
        name: str,
        given: Any,
        output: Any,
        *,
        calls: list[tuple[str, str]] | None = None,
        state: str = "succeeded",
        trigger: str = "api",
        parent: str | None = None,
        undo: bool = False,
    ) -> None:
        found = self.evidence
        found.runs.append(Run(id, name, state, "", given, output, None, f"key-{id}", trigger, parent, 0, None))
        self._tell(id, "run.started", {})
        for function, place in calls or []:
            self._call(id, function, place, "failed" if function == "chaos-refuse" else "succeeded")
        for _, place in reversed(calls or []) if undo else []:
            self._call(id, "chaos-unwrite", place, "succeeded", suffix="#undo")
            found.undos.append(Undo(id, f"/do/{place}", "done"))
        self._tell(id, f"run.{state}", {"reason": "dead_letter"})
        found.branches.append(Branch(id, id, "open" if state == "failed" else "closed", 0, found.told[-1].seq, HEAD))
        found.heads[id] = (found.told[-1].seq, HEAD)
        if trigger == "api":
            found.keys.append(Key(f"workflow:{name}", f"key-{id}", id))
            start = Start(name, f"key-{id}", given, "", "workflow", 1, 0.0)
            found.view.starts[start.key] = Acknowledged(start, {id})

    def around(self) -> Evidence:
        """Add what belongs to no run."""
        found = self.evidence
        found.deliveries = [Delivery("order:/do/charge:0", 1, "charge", 200)]
        found.mails = [Mail("<1@dotdo>", "Number 1"), Mail("<n1@dotdo>", "A run failed")]
        found.notices = [Notice(1, "doomed", "told")]
        found.notifications = [Notification("n1", "sent", 1.0)]
        found.entries = [Entry("chaos", "loops", 1, 1)]
        found.schedules = {"s1": "chaos-tick", "s2": "chaos-on"}
        found.fires = [
            Fire("s1", MOMENT, "tick", False),
            Fire("s1", MOMENT + timedelta(seconds=1), "tock", False),
            Fire("s2", MOMENT, "on", False),
        ]
        found.inbox = [
            Event("e1", "/chaos", "paid-order", "chaos.paid", "order"),
            Event("e2", "/hooks", "hook-hook", "dev.dotdo.webhook.received.v1", "hook"),
            Event("e3", "/chaos", "emitted", "chaos.emitted", None),
        ]
        found.messages = [
            Message(1, "order", "order/paid", "event", "e1", True),
            Message(2, "hook", "hook/answer", "event", "e2", True),
        ]
        found.attempts = [Attempt("doomed/never", 1, "failed", "refused")]
        found.view.events["paid-order"] = "order"
        found.view.hooks["hook"].add("e2")
        found.view.answers["ask"].append("approved")
        found.view.commands["gone"].append("cancellation")
        return found

    def _call(self, run: str, function: str, place: str, state: str, suffix: str = "") -> None:
        found = self.evidence
        kind = function if function in ("wait", "emit", "run") else "undo" if suffix else "call"
        key = f"/do/{place}{suffix}"
        given = {"namespace": "chaos", "key": place}
        made = (f"{run}/{place}{suffix}", run, key, place, kind, f"{function}:1.0.0", state, 1, 1, 0, 0, False, None)
        timing = (0.001, 0.4) if kind == "wait" else (0.0, 0.0)
        found.steps.append(Step(*made, given, *timing))
        if state == "succeeded":
            self._tell(run, "step.succeeded", {"step": key})
        if function in ("chaos-write", "chaos-unwrite"):
            found.ledger.append(Effect(len(found.ledger), run, key, place, bool(suffix)))

    def _tell(self, run: str, kind: str, data: dict[str, Any]) -> None:
        told = self.evidence.told
        told.append(Told(len(told), run, sum(event.chain == run for event in told), run, kind, data))


__all__ = ["Evidence", "View", "sound"]
