"""An event is taken once, kept for the run that it is addressed to, and handed to all who may have waited for it."""

import time
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from actions import running
from actions.errors import ActionError
from audit.models import AuditEvent
from audit.verify import verify
from tests.support.listening import event, listener, listeners
from workflows import expressions, operations, wake
from workflows.models import Event, Message, Run, Step

pytestmark = pytest.mark.django_db


def deliver(envelope: dict[str, Any], **options: Any) -> operations.Delivered:
    return operations.deliver_event(envelope, actor="user:test", via="api", **options)


def test_the_same_source_and_id_are_taken_once_and_answered_the_same() -> None:
    step = listener()
    first, again = deliver(event()), deliver(event(data="something else"))
    assert (first.created, again.created) == (True, False)
    assert (again.event_id, again.runs) == (first.event_id, first.runs) == (first.event_id, [step.run_id])
    assert Event.objects.count() == Message.objects.count() == 1
    step.refresh_from_db()
    assert step.wake == 1


def test_two_sources_may_use_the_same_id() -> None:
    assert deliver(event(source="/a")).created
    assert deliver(event(source="/b")).created


def test_an_event_for_a_run_that_does_not_listen_yet_waits_in_its_mailbox() -> None:
    step = listener(state="succeeded")
    delivered = deliver(event(subject=str(step.run_id)))
    message = Message.objects.get()
    assert delivered.runs == [message.run_id] == [step.run_id]
    assert (message.step_id, message.kind, message.consumed_at) == (None, "event", None)
    assert Run.objects.get(pk=step.run_id).mail_seq == 1
    assert Event.objects.get().run_id == step.run_id


@pytest.mark.parametrize("subject", ["{}", "{.hex}"])
def test_the_subject_may_be_the_id_of_the_run_in_both_ways_of_writing_it(subject: str) -> None:
    step = listener(kind="something.else")
    assert deliver(event(subject=subject.format(step.run_id))).runs == [step.run_id]
    step.refresh_from_db()
    assert (step.state, step.wake) == ("ready", 1)


def test_a_subject_that_is_no_run_makes_a_broadcast() -> None:
    step = listener()
    assert deliver(event(subject=str(uuid.uuid4()))).runs == [step.run_id]
    assert deliver(event("2", subject="order 17")).runs == [step.run_id]
    assert not Event.objects.filter(run__isnull=False).exists()


def test_an_event_for_one_run_is_not_handed_to_others() -> None:
    mine, other = listener(), listener()
    deliver(event(), run_id=mine.run_id)
    other.refresh_from_db()
    assert other.wake == 0


@pytest.mark.parametrize("over", ["succeeded", "cancelled"])
def test_an_event_for_a_run_that_is_over_is_recorded_and_handed_to_nobody(over: str) -> None:
    step = listener(run_state=over, state="cancelled")
    delivered = deliver(event(subject=str(step.run_id)))
    assert (delivered.created, delivered.runs) == (True, [])
    assert not Message.objects.exists()
    assert Event.objects.get().run_id == step.run_id


@pytest.mark.parametrize(
    ("state", "becomes"), [("waiting", "ready"), ("ready", "ready"), ("running", "running"), ("held", "held")]
)
def test_whoever_listens_is_woken_in_every_state_before_the_end(state: str, becomes: str) -> None:
    step = listener(state=state)
    deliver(event(), run_id=step.run_id)
    step.refresh_from_db()
    assert (step.state, step.wake) == (becomes, 1)


@pytest.mark.parametrize("stopped", ["suspended", "failed"])
def test_in_a_run_that_an_operator_has_to_let_go_on_the_step_is_held(stopped: str) -> None:
    step = listener(run_state=stopped)
    deliver(event())
    step.refresh_from_db()
    assert (step.state, step.wake) == ("held", 1)
    assert Message.objects.get().step_id == step.pk


@pytest.mark.parametrize(
    ("wanted", "sent", "handed"),
    [
        ({"kind": "a"}, {"kind": "a"}, True),
        ({"kind": "a"}, {"kind": "b"}, False),
        ({"kind": ""}, {"kind": "b"}, True),
        ({"kind": "a", "source": "/x"}, {"kind": "a", "source": "/x"}, True),
        ({"kind": "a", "source": "/x"}, {"kind": "a", "source": "/y"}, False),
        ({"kind": "", "source": "/x"}, {"kind": "b", "source": "/x"}, True),
    ],
)
def test_type_and_source_narrow_a_broadcast(wanted: dict[str, str], sent: dict[str, str], handed: bool) -> None:
    step = listener(**wanted)
    assert deliver(event(**sent)).runs == ([step.run_id] if handed else [])


@pytest.mark.parametrize(
    ("correlate", "values", "data", "handed"),
    [
        ([".data.order"], ["17"], {"order": "17"}, True),
        ([".data.order"], ["17"], {"order": "18"}, False),
        ([".data.order"], ["17"], {"order": 17}, False),
        ([".data.order"], [None], {}, True),
        ([".data.order", ".source"], ["17", "/shop"], {"order": "17"}, True),
        ([".data.order", ".source"], ["17", "/other"], {"order": "17"}, False),
        ([".data.lines | length"], [2], {"lines": [1, 2]}, True),
        ([".data.order | tonumber"], [17], {"order": "seventeen"}, False),  # the expression fails
    ],
)
def test_pinned_correlations_narrow_a_broadcast(
    correlate: list[str], values: list[Any], data: dict[str, Any], handed: bool
) -> None:
    step = listener(correlate=correlate, values=values)
    assert deliver(event(data=data)).runs == ([step.run_id] if handed else [])


def test_equal_values_of_different_expressions_are_not_mixed_up() -> None:
    listener(correlate=[".data.order"], values=["17"])
    customer = listener(correlate=[".data.customer"], values=["17"])
    assert deliver(event(data={"order": "18", "customer": "17"})).runs == [customer.run_id]


def test_an_event_wakes_all_who_wait_for_it() -> None:
    steps = listeners(5)
    assert deliver(event()).runs == sorted(step.run_id for step in steps)
    assert set(Step.objects.values_list("state", flat=True)) == {"ready"}


def test_the_event_is_a_link_of_its_own_verifiable_chain() -> None:
    delivered = deliver(event(subject="x", data={"secret": "of the payload"}))
    link = AuditEvent.objects.get(chain=delivered.event_id)
    assert (link.kind, link.actor) == ("event.received", "user:test")
    assert "of the payload" not in link.data
    assert verify(delivered.event_id).broken == []


def test_no_handler_can_send_an_event() -> None:
    with running.handler(running.Running("charge-card", transactional=False)), pytest.raises(ActionError):
        deliver(event())


def test_waking_a_step_that_has_ended_does_nothing() -> None:
    step = listener(state="succeeded")
    assert not wake.step(step.pk)
    assert not wake.step(uuid.uuid4())


def test_ten_thousand_listeners_do_not_make_a_delivery_slow() -> None:
    steps = listeners(10_000, correlate=[".data.order"], values=[[place] for place in range(10_000)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE subscription, step, run")
    deliver(event("warm", data={"order": -1}))
    began = time.perf_counter()
    with CaptureQueriesContext(connection) as queries:
        delivered = deliver(event(data={"order": 4711}))
    assert delivered.runs == [steps[4711].run_id]
    assert len(queries) < 15
    assert time.perf_counter() - began < 0.25


def test_each_expression_in_use_is_evaluated_once_and_others_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for expression in (".data.a", ".data.b", ".data.a"):
        listener(correlate=[expression], values=["x"])
    anywhere = listener(kind="", correlate=[".source"], values=["/shop"])
    listener(kind="another.kind", correlate=[".data.never"], values=["x"])
    listener()
    asked: list[str] = []
    real = expressions.evaluate

    def evaluate(text: str, dot: Any, variables: Any) -> Any:
        asked.append(text)
        return real(text, dot, variables)

    monkeypatch.setattr(expressions, "evaluate", evaluate)
    delivered = deliver(event(data={"a": "x"}))
    assert sorted(asked) == [".data.a", ".data.b", ".source"]
    assert anywhere.run_id in delivered.runs
    assert len(delivered.runs) == 4
