"""What people do to runs and steps: whole families, under lock, each with a reason and an audit event."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.verify import verify
from tests.support import rows
from workflows import operations, queries, rules, states
from workflows.approvals import Person
from workflows.models import Branch, Message, Run, Step, Subscription, Undo
from workflows.operations import AnswerInvalid, NotAllowed, UnknownRun, UnknownStep

pytestmark = pytest.mark.usefixtures("handlers")
WHY: dict[str, Any] = {"actor": "user:ada", "reason": "because"}
HOUR = timedelta(hours=1)
MOMENT = timedelta(seconds=5)


def near(step: Step, expected: timedelta) -> bool:
    """Tell whether a step is due so long from now."""
    return abs(rows.again(step).due_at - timezone.now() - expected) < MOMENT


# --- suspend and resume ----------------------------------------------------------------------------------------------
def test_suspending_holds_what_nobody_executes_and_leaves_a_running_step_alone() -> None:
    run = rows.run("running")
    ready, waiting = rows.step(run, "a"), rows.step(run, "b", "waiting", "listen")
    running, done = rows.step(run, "c", "running"), rows.step(run, "d", "succeeded")
    operations.suspend(run.id, **WHY)
    assert [rows.state(step) for step in (ready, waiting, running, done)] == ["held", "held", "running", "succeeded"]
    assert Run.objects.get(pk=run.pk).stopped_at is not None
    assert verify().broken == []


def test_a_run_goes_on_where_it_was_and_its_deadlines_paused_meanwhile() -> None:
    run = rows.run("suspended", stopped=HOUR)
    call, nap = rows.step(run, "a", "held"), rows.step(run, "b", "held", "wait", due=2 * HOUR)
    deadline = rows.step(run, "c", "held", "timer", due=HOUR)
    listen = rows.step(run, "d", "held", "listen")
    operations.resume(run.id, **WHY)
    assert [rows.state(step) for step in (call, nap, deadline, listen)] == ["ready"] * 4
    assert near(nap, 2 * HOUR)
    assert near(deadline, 2 * HOUR)
    again = Run.objects.get(pk=run.pk)
    assert (again.state, again.reason, again.stopped_at) == ("running", "", None)


@pytest.mark.parametrize(
    ("values", "reason"),
    [({"kind": "wait"}, "timer"), ({"failures": 2}, "back_off"), ({"function": "approval:1.0.0"}, "person")],
)
def test_a_resumed_run_that_has_nothing_due_says_what_it_waits_for(values: dict[str, object], reason: str) -> None:
    run = rows.run("suspended", stopped=HOUR)
    rows.step(run, "a", "held", due=HOUR, **values)  # type: ignore[arg-type]
    operations.resume(run.id, **WHY)
    assert (Run.objects.get(pk=run.pk).state, Run.objects.get(pk=run.pk).reason) == ("waiting", reason)


def test_a_join_looks_again_because_a_race_may_have_been_won_meanwhile() -> None:
    run = rows.run("suspended", stopped=HOUR)
    left, _ = rows.fork(run, 2, open=2)
    Branch.objects.filter(pk=left.pk).update(rest="timer", revision=1)
    Branch.objects.filter(pk=rows.root(run).pk).update(rest="fork", revision=200)
    join, nap = rows.step(run, "f", "held", "join"), rows.step(run, "a", "held", "call", branch=left, key="/do/0/a")
    operations.resume(run.id, **WHY)
    assert [rows.state(step) for step in (join, nap)] == ["ready", "ready"]
    assert Branch.objects.get(pk=left.pk).rest == ""
    assert rows.root(run).rest == "fork"


def test_a_family_is_suspended_and_resumed_downwards() -> None:
    parent, child, grandchild, inner = family("waiting", "waiting", "waiting")
    operations.suspend(parent.id, **WHY)
    assert [rows.state(run) for run in (parent, child, grandchild)] == ["suspended"] * 3
    assert rows.state(inner) == "held"
    operations.resume(parent.id, **WHY)
    assert rows.state(inner) == "ready"
    assert {rows.state(run) for run in (parent, child, grandchild)} == {"running"}
    assert verify().broken == []


def test_what_is_not_awaited_any_more_is_left_alone() -> None:
    parent = rows.run("running")
    sent_off = rows.step(parent, "a", "succeeded", "run")
    child = rows.run("running", parent_step=sent_off.pk)
    operations.suspend(parent.id, **WHY)
    assert rows.state(child) == "running"


# --- retry -----------------------------------------------------------------------------------------------------------
def test_a_retry_leaves_faults_alone_that_the_workflow_caught() -> None:
    run = rows.run("failed", "dead_letter", stopped=HOUR)
    caught, failed = rows.step(run, "a", "failed", caught=True), rows.step(run, "b", "failed", failures=3)
    held = rows.step(run, "c", "held", "timer", due=HOUR)
    operations.retry(run.id, **WHY)
    assert [rows.state(step) for step in (caught, failed, held)] == ["failed", "ready", "ready"]
    assert near(held, 2 * HOUR)
    assert rows.again(failed).failures == 0
    assert queries.audit(run.id)[-1].data == {"steps": [failed.key]}


def test_a_deadline_that_failed_the_run_begins_again_in_full() -> None:
    run = rows.run("failed", "timed_out", stopped=HOUR)
    deadline = rows.step(run, "a", "failed", "timer", due=-HOUR, age=3 * HOUR)
    operations.retry(run.id, **WHY)
    assert near(deadline, 2 * HOUR)


def test_retrying_a_parent_retries_the_children_that_failed_it() -> None:
    parent, child, grandchild, inner = family("failed", "failed", "failed")
    operations.retry(parent.id, **WHY)
    assert {rows.state(run) for run in (parent, child, grandchild)} == {"running"}
    assert rows.state(inner) == "ready"
    assert verify().broken == []


def test_retrying_a_child_lets_the_parents_go_on_that_are_parked_on_it() -> None:
    parent, child, grandchild, inner = family("failed", "failed", "failed")
    operations.retry(grandchild.id, **WHY)
    assert {rows.state(run) for run in (parent, child, grandchild)} == {"running"}
    assert not Step.objects.filter(state="failed").exists()
    assert rows.state(inner) == "ready"
    assert [event.kind for event in queries.audit(parent.id)] == ["run.started", "run.unparked"]
    assert verify().broken == []


def test_a_parent_that_is_parked_elsewhere_as_well_stays_parked() -> None:
    parent, child, _, _ = family("failed", "failed", "failed")
    other = rows.step(parent, "other", "failed", key="/do/9/other")
    held = rows.step(parent, "held", "held", key="/do/8/held")
    operations.retry(child.id, **WHY)
    assert (rows.state(parent), rows.state(child)) == ("failed", "running")
    assert (rows.state(other), rows.state(held)) == ("failed", "held")


def test_retrying_a_failed_undo_goes_on_undoing() -> None:
    run = rows.run("failed", "undo_failed", stopped=HOUR)
    undo = rows.step(run, "undo", "failed", "undo", key="#undo")
    operations.retry(run.id, **WHY)
    assert (rows.state(undo), Run.objects.get(pk=run.pk).reason) == ("ready", "undoing")


# --- cancel ----------------------------------------------------------------------------------------------------------
def test_cancelling_ends_everything_open_below_and_tells_the_step_that_waits_for_it() -> None:
    parent, child, grandchild, inner = family("waiting", "waiting", "waiting")
    Subscription.objects.create(step=inner, type="order.paid")
    waiting = Step.objects.get(run=parent)
    operations.cancel(child.id, **WHY)
    assert [rows.state(run) for run in (parent, child, grandchild)] == ["waiting", "cancelled", "cancelled"]
    assert (rows.state(inner), Subscription.objects.count()) == ("cancelled", 0)
    assert not Branch.objects.filter(run__in=[child, grandchild], state="open").exists()
    assert (rows.state(waiting), rows.again(waiting).wake) == ("ready", 1)
    assert verify().broken == []


def test_a_run_that_was_settled_otherwise_is_no_dead_letter_any_more() -> None:
    run = rows.run("failed", "dead_letter")
    operations.resolve(run.id, **WHY)
    found = queries.run(run.id)
    assert found is not None
    assert (found.label, found.can_retry) == ("resolved", "This run was marked as resolved.")
    assert queries.audit(run.id)[-1].kind == "run.resolved"


# --- skip ------------------------------------------------------------------------------------------------------------
def test_a_failed_step_is_passed_over_with_an_output_given_by_hand() -> None:
    run = rows.run("failed", "dead_letter", stopped=HOUR)
    failed, held = rows.step(run, "a", "failed"), rows.step(run, "b", "held")
    operations.skip(run.id, failed.key, {"paid": True}, **WHY)
    assert (rows.state(run), rows.state(failed), rows.state(held)) == ("running", "ready", "ready")
    assert rows.again(failed).wake == 1
    message = Message.objects.get()
    assert (message.step_id, message.kind) == (failed.pk, "answer")
    assert message.data == {"skip": True, "output": {"paid": True}, "by": "user:ada", "reason": "because"}
    assert queries.audit(run.id)[-1].kind == "step.skipped"


def test_of_two_failed_steps_skipping_one_leaves_the_run_parked_on_the_other() -> None:
    run = rows.run("failed", "dead_letter")
    first, second = rows.step(run, "a", "failed"), rows.step(run, "b", "failed")
    operations.skip(run.id, first.key, None, **WHY)
    assert (rows.state(run), rows.state(first), rows.state(second)) == ("failed", "ready", "failed")


def test_a_step_of_a_suspended_run_is_passed_over_once_the_run_goes_on() -> None:
    run = rows.run("suspended", stopped=HOUR)
    held = rows.step(run, "a", "held", due=HOUR)
    operations.skip(run.id, held.key, 1, **WHY)
    assert (rows.state(held), rows.again(held).wake) == ("held", 1)
    operations.resume(run.id, **WHY)
    assert rows.state(held) == "ready"
    assert near(held, timedelta(0))


def test_skipping_a_step_that_waits_for_children_cancels_them() -> None:
    parent, child, grandchild, _ = family("waiting", "waiting", "waiting")
    operations.skip(parent.id, Step.objects.get(run=parent).key, [], **WHY)
    assert [rows.state(run) for run in (parent, child, grandchild)] == ["waiting", "cancelled", "cancelled"]
    assert verify().broken == []


def test_an_output_given_by_hand_fits_the_schema_of_the_action() -> None:
    run = rows.run("failed", "dead_letter")
    version = run.action_version
    failed = rows.step(run, "a", "failed", action_version=version)
    with pytest.raises(AnswerInvalid) as refused:
        operations.skip(run.id, failed.key, float("nan"), **WHY)
    assert [str(problem) for problem in refused.value.problems] == ["/ is NaN or infinite, which JSON does not have"]
    assert not Message.objects.exists()


def test_a_step_that_is_being_worked_on_is_not_waited_for(superuser: object) -> None:
    import psycopg

    assert isinstance(superuser, psycopg.Connection)
    run = rows.run("running")
    step = rows.step(run, "a")
    with superuser.transaction():
        superuser.execute("SELECT 1 FROM step WHERE id = %s FOR NO KEY UPDATE", [step.pk])
        with pytest.raises(NotAllowed, match="being worked on"):
            operations.skip(run.id, step.key, 1, **WHY)


# --- timers ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("values", [{"kind": "wait"}, {"kind": "timer"}, {"failures": 1}])
def test_a_wait_a_deadline_and_a_back_off_can_be_ended_early(values: dict[str, object]) -> None:
    run = rows.run("waiting", "timer")
    step = rows.step(run, "a", due=HOUR, **values)  # type: ignore[arg-type]
    operations.fire_timer(run.id, step.key, **WHY)
    assert near(step, timedelta(0))
    event = queries.audit(run.id)[-1]
    assert (event.kind, event.reason, event.data["due_at"]) == ("timer.fired", "because", step.due_at.isoformat())


def test_a_timer_of_a_run_that_is_held_is_not_fired() -> None:
    run = rows.run("suspended")
    step = rows.step(run, "a", "held", "wait", due=HOUR)
    with pytest.raises(NotAllowed, match="go on with it first"):
        operations.fire_timer(run.id, step.key, **WHY)


# --- undo ------------------------------------------------------------------------------------------------------------
def test_undoing_ends_what_is_open_and_lets_workers_undo_the_rest() -> None:
    parent, child, _, _ = family("failed", "failed", "failed")
    rows.fork(parent, 2, open=2)
    rows.step(parent, "paid", "succeeded", key="/do/1/paid")
    held = rows.step(parent, "held", "held", key="/do/2/held")
    Undo.objects.create(run=parent, place="/do/1/paid", key="/do/1/paid", ref="/do/1/paid", name="paid", function="x:1")
    operations.undo(parent.id, **WHY)
    run, root = Run.objects.get(pk=parent.pk), rows.root(parent)
    assert (run.state, run.reason, run.stopped_at) == ("running", "undoing", None)
    assert root.cursor == {"frames": [], "ending": {"state": "cancelled", "reason": "undone"}}
    assert (root.state, root.open) == ("open", 0)
    assert not Branch.objects.filter(run=parent, state="open").exclude(pk=root.pk).exists()
    assert (rows.state(held), rows.state(child)) == ("cancelled", "cancelled")
    undo = Step.objects.get(run=parent, key="#undo")
    assert (undo.kind, undo.state, undo.name) == ("undo", "ready", "undo")
    with pytest.raises(NotAllowed, match="has begun"):
        operations.undo(parent.id, **WHY)
    assert verify().broken == []


def test_where_nothing_is_recorded_there_is_nothing_to_undo() -> None:
    run = rows.run("failed", "dead_letter")
    with pytest.raises(NotAllowed, match="Nothing is left to undo"):
        operations.undo(run.id, **WHY)


# --- approvals -------------------------------------------------------------------------------------------------------
ADA = Person("ada", frozenset({"Finance"}))
FORM = {"type": "object", "required": ["limit"], "properties": {"limit": {"type": "number"}}}


def approval(run: Run, **asked: object) -> Step:
    asked = {"title": "Pay?", **asked}
    return rows.step(run, "ask", "waiting", function="approval:1.0.0", input=asked)


def answer(step: Step, person: Person = ADA, decision: str = "approved", data: object = None) -> None:
    operations.answer_approval(step.run_id, step.key, decision, data, person=person, actor=f"user:{person.name}")


def test_an_answer_is_kept_for_the_step_and_wakes_it() -> None:
    step = approval(rows.run("waiting", "person"), form=FORM)
    answer(step, data={"limit": 5})
    message = Message.objects.get(step=step)
    assert message.data == {"decision": "approved", "by": "ada", "data": {"limit": 5}}
    assert (rows.state(step), rows.again(step).wake) == ("ready", 1)
    event = queries.audit(step.run_id)[-1]
    assert (event.kind, event.actor, event.data["decision"]) == ("approval.answered", "user:ada", "approved")
    assert verify().broken == []


def test_the_first_answer_counts() -> None:
    step = approval(rows.run("waiting", "person"))
    answer(step)
    with pytest.raises(NotAllowed, match="already answered by ada"):
        answer(step, Person("bob"), "rejected")


@pytest.mark.parametrize(
    ("asked", "person", "allowed"),
    [
        ({}, Person("bob"), True),
        ({"users": ["ada"]}, Person("bob"), False),
        ({"users": ["bob"]}, Person("bob"), True),
        ({"groups": ["Finance"]}, Person("bob"), False),
        ({"groups": ["Finance"]}, ADA, True),
        ({"users": ["ada"]}, Person("root", superuser=True), True),
    ],
)
def test_only_those_who_are_asked_may_answer(asked: dict[str, list[str]], person: Person, allowed: bool) -> None:
    step = approval(rows.run("waiting", "person"), assignees=asked)
    if allowed:
        answer(step, person)
    else:
        with pytest.raises(NotAllowed, match="is not asked"):
            answer(step, person)
    assert Message.objects.count() == allowed


def test_an_approval_fits_the_form_and_a_rejection_may_leave_it_empty() -> None:
    step = approval(rows.run("waiting", "person"), form=FORM)
    with pytest.raises(AnswerInvalid) as refused:
        answer(step, data={"limit": "much"})
    assert (refused.value.part, [problem.pointer for problem in refused.value.problems]) == ("data", ["/limit"])
    with pytest.raises(AnswerInvalid):
        answer(step, decision="perhaps")
    answer(step, decision="rejected")


@pytest.mark.parametrize("form", [{"type": "strange"}, {"type": "object", "properties": {"a": {"pattern": "("}}}])
def test_a_form_that_no_worker_has_looked_at_yet_breaks_nothing(form: dict[str, object]) -> None:
    step = approval(rows.run("suspended"), form=form)
    assert [row.step for row in queries.open_approvals(ADA).items] == [step.pk]
    with pytest.raises(NotAllowed, match="cannot be filled in"):
        answer(step)


def test_what_asks_nobody_cannot_be_answered() -> None:
    run = rows.run("running")
    with pytest.raises(NotAllowed, match="does not ask a person"):
        answer(rows.step(run, "a"))
    with pytest.raises(UnknownStep):
        operations.answer_approval(run.id, "/do/7/x", "approved", person=ADA, actor="user:ada")


# --- guards ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("verb", ["retry", "cancel", "suspend", "resume", "resolve", "undo"])
def test_no_verb_gets_past_the_rules_whatever_the_state(verb: str) -> None:
    operation = getattr(operations, verb)
    refusals: dict[str, Callable[[str], str | None]] = {
        "retry": lambda state: rules.retry_refusal(state, None),
        "cancel": rules.cancel_refusal,
        "suspend": rules.suspend_refusal,
        "resume": rules.resume_refusal,
        "resolve": lambda state: rules.resolve_refusal(state, None),
        "undo": lambda state: rules.undo_refusal(state, recorded=0, begun=False),
    }
    with pytest.raises(UnknownRun):
        operation(uuid.uuid4(), **WHY)
    for state in states.RUN_STATES:
        run, refusal = rows.run(state), refusals[verb](state)
        if refusal is None:
            operation(run.id, **WHY)
            continue
        with pytest.raises(NotAllowed) as refused:
            operation(run.id, **WHY)
        assert (str(refused.value), rows.state(run)) == (refusal, state)


@pytest.mark.parametrize("state", [*states.STEP_STATES])
def test_steps_in_any_state_are_skipped_or_refused_as_the_rules_say(state: str) -> None:
    for kind in ("start", "call", "wait", "task", "timer", "listen", "run", "join", "emit", "undo"):
        run = rows.run("running")
        step = rows.step(run, "a", state, kind)
        if refusal := rules.skip_refusal("running", kind, state, caught=False):
            with pytest.raises(NotAllowed) as refused:
                operations.skip(run.id, step.key, None, **WHY)
            assert str(refused.value) == refusal
        else:
            operations.skip(run.id, step.key, None, **WHY)
            assert rows.state(step) == ("held" if state == "held" else "ready")


def family(*wanted: str) -> tuple[Run, Run, Run, Step]:
    """Make a parent, its child and the child of that, each waiting for or parked on the next; and the last step."""
    step_state = {"waiting": "waiting", "failed": "failed"}
    parent = rows.run(wanted[0], "child" if wanted[0] == "waiting" else "dead_letter")
    first = rows.step(parent, "sub", step_state[wanted[0]], "run")
    child = rows.run(wanted[1], parent_step=first.pk)
    second = rows.step(child, "sub", step_state[wanted[1]], "run")
    grandchild = rows.run(wanted[2], parent_step=second.pk)
    return parent, child, grandchild, rows.step(grandchild, "work", step_state[wanted[2]], "listen")
