"""One document with every construct: it is valid, and this is what the engine gets of it."""

import time
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from tests.unit.language.support import Actions, document, problems
from workflows.language import Program, build, load, lock_functions
from workflows.language.program import (
    Call,
    Emit,
    For,
    Fork,
    Listen,
    Raise,
    RunWorkflow,
    Strategy,
    Switch,
    Task,
    Try,
)
from workflows.language.templates import Constant, Expression, ObjectOf

T = TypeVar("T", bound=Task)

EVERYTHING = r"""
document:
  dsl: 1.0.2
  namespace: demo
  name: everything
  version: 1.0.0
  title: Everything
  summary: All of it.
  tags: {team: sales}
  metadata: {note: free, dotdo: {queue: mail, priority: 1, onFault: undo, missed: all, timezone: Europe/Berlin}}
input: {schema: {document: {type: object}}, from: "${ .order }"}
timeout: {after: PT1H}
schedule:
  on:
    all:
    - {with: {type: com.example.paid, source: 'https://shop\..*'}}
    - {with: {data: "${ .amount > 5 }"}, correlate: {shop: {from: .shop, expect: main}}}
evaluate: {language: jq, mode: strict}
use:
  authentications: {crm: {basic: {username: dotdo, password: '${ $secrets["crm-password"] }'}}}
  errors: {late: {type: https://example.com/late, status: 504, title: "${ .title }"}}
  functions:
    pay: {call: "charge-card:1.2.0", with: {currency: EUR, customer_id: "${ .customer }"}}
  retries:
    gentle:
      delay: {seconds: 2}
      backoff: {exponential: {}}
      jitter: {from: PT0S, to: PT1S}
      limit: {attempt: {count: 3, duration: PT10S}, duration: PT5M}
  secrets: [crm-password]
  timeouts: {short: {after: PT5S}}
do:
- fetch:
    call: http
    with:
      method: GET
      endpoint: {uri: "https://example.com/pets/{id}", authentication: {use: crm}}
      output: response
    timeout: short
- describe:
    call: openapi
    with:
      document: {endpoint: https://example.com/openapi.json}
      operationId: getPet
      authentication: {use: crm}
- charge:
    call: pay
    with: {amount: 5, currency: USD}
    timeout: {after: "${ $context.patience }"}
    metadata: {dotdo: {undo: {call: cancel-car, with: {id: "${ $output.id }"}}, idempotencyKey: "${ .order }"}}
- book: {call: book-car, with: {customer_id: c, amount: 1}, metadata: {dotdo: {idempotencyKey: order-1}}}
- keep: {call: datastore.set, with: {key: k, value: 1}}
- loop:
    for: {each: pet, in: .pets, at: n}
    while: $pet.ok
    do:
    - look: {if: $n > 0, set: {pet: "${ $pet }"}}
- inline: {for: {in: [{a: 1}]}, do: []}
- race:
    fork:
      compete: true
      branches:
      - fast: {wait: PT1S, then: exit}
      - slow: {do: [{rest: {wait: {minutes: 5}}}]}
- attempt:
    try:
    - risky: {call: send-mail}
    catch:
      errors: {with: {type: https://example.com/late, status: 504}}
      as: problem
      when: $problem.status == 504
      exceptWhen: .detail == "never"
      retry: gentle
      do:
      - note: {set: {reason: "${ $problem.title }"}}
      then: choose
    metadata: {dotdo: {saga: true}}
- choose: {switch: [{big: {when: .n > 5, then: complain}}, {other: {then: tell}}]}
- complain: {raise: {error: late}}
- tell:
    emit: {event: {with: {type: com.example.told, subject: "${ $workflow.id }", data: {n: "${ .n }"}}}}
- hear:
    listen: {to: {one: {with: {type: com.example.answer}, correlate: {order: {from: .order}}}}, read: envelope}
- gather:
    listen: {to: {any: [{with: {type: com.example.vote}}], until: {one: {with: {type: com.example.closed}}}}}
    foreach:
      item: vote
      at: position
      do: [{count: {set: {vote: "${ $vote }", at: "${ $position }"}}}]
      output: {as: .vote, schema: {document: {}}}
      export: {as: '$context + {last: $output}'}
- watch: {listen: {to: {any: [], until: length > 3}}}
- child: {run: {workflow: {namespace: demo, name: invoice, version: latest, input: {id: "${ .id }"}}, await: false}}
- again: {run: {workflow: {namespace: demo, name: everything, version: latest}}}
- many: {call: map, with: {items: "${ .ids }", workflow: {name: invoice, version: 2.0.0}}}
- ask: {call: approval, with: {title: Really?, dueIn: P1D, form: {type: object}}}
- until: {call: wait-until, with: {at: "${ .at }"}}
- undo: {call: saga.compensate}
- done:
    input: {schema: {document: {}}, from: .x}
    set: "${ . }"
    output: {as: {ok: true}, schema: {document: {}}}
    export: {as: .ok}
    then: end
output: {as: .ok, schema: {document: {type: boolean}}}
"""


@pytest.fixture(scope="module")
def program() -> Program:
    source = load(EVERYTHING)
    assert [str(problem) for problem in problems(source)] == []
    return build(source, lock_functions(source, Actions()))


def task(program: Program, name: str, kind: type[T]) -> T:
    found = program.tasks[program.tasks.index_of(name)]
    assert isinstance(found, kind)
    assert found.kind
    return found


def test_the_document_around_the_tasks(program: Program) -> None:
    assert (program.timeout, program.secrets, program.on_fault) == (timedelta(hours=1), ("crm-password",), "undo")
    schedule = program.schedule
    assert schedule
    assert (schedule.kind, schedule.timezone, schedule.read, schedule.missed) == (
        "on",
        "Europe/Berlin",
        "envelope",
        "all",
    )
    assert schedule.strategy
    first, second = schedule.strategy.filters
    assert first.with_ == {"type": Constant("com.example.paid"), "source": Constant(r"https://shop\..*")}
    assert second.with_ == {"data": Expression(".amount > 5")}
    assert (second.correlate["shop"].from_, second.correlate["shop"].expect) == (".shop", Constant("main"))


def test_the_lock_holds_what_is_meant_today(program: Program) -> None:
    assert program.lock == {
        "approval": "approval:1.0.0",
        "book-car": "book-car:1.0.0",
        "cancel-car": "cancel-car:1.1.0",
        "charge-card:1.2.0": "charge-card:1.2.0",
        "datastore.set": "datastore.set:1.0.0",
        "map": "map:1.0.0",
        "saga.compensate": "saga.compensate:1.0.0",
        "send-mail": "send-mail:2.0.0",
        "undo:book-car": {"function": "cancel-car", "version": "1.1.0", "fields": ["customer_id", "id"]},
        "wait-until": "wait-until:1.0.0",
        "workflow:demo/everything:latest": "1.0.0",
        "workflow:demo/invoice:2.0.0": "2.0.0",
        "workflow:demo/invoice:latest": "2.1.0",
    }


def test_every_list_has_its_pointer(program: Program) -> None:
    assert set(program.lists_by_ref) == {
        "/do",
        "/do/5/loop/do",
        "/do/6/inline/do",
        "/do/7/race/fork/branches",
        "/do/7/race/fork/branches/1/slow/do",
        "/do/8/attempt/try",
        "/do/8/attempt/catch/do",
        "/do/13/gather/foreach/do",
    }
    assert program.task_at("/do/8/attempt/catch/do/0/note").name == "note"


def test_calls_of_the_language_have_their_authentication_put_in(program: Program) -> None:
    fetch = task(program, "fetch", Call)
    assert (fetch.function, fetch.version, fetch.timeout) == ("http", "1.0.0", timedelta(seconds=5))
    assert isinstance(fetch.with_, ObjectOf)
    endpoint = dict(fetch.with_.items)["endpoint"]
    assert isinstance(endpoint, ObjectOf)
    assert dict(endpoint.items)["uri"] == Constant("https://example.com/pets/{id}")
    basic = ObjectOf((("username", Constant("dotdo")), ("password", Expression('$secrets["crm-password"]'))))
    assert dict(endpoint.items)["authentication"] == ObjectOf((("basic", basic),))
    describe = task(program, "describe", Call)
    assert isinstance(describe.with_, ObjectOf)
    assert dict(describe.with_.items)["authentication"] == ObjectOf((("basic", basic),))


def test_r34_a_caller_overrides_the_arguments_of_a_function_key_by_key(program: Program) -> None:
    charge = task(program, "charge", Call)
    assert (charge.function, charge.version) == ("charge-card", "1.2.0")
    assert isinstance(charge.with_, ObjectOf)
    assert dict(charge.with_.items) == {
        "currency": Constant("USD"),
        "customer_id": Expression(".customer"),
        "amount": Constant(5),
    }
    assert charge.timeout == "$context.patience"


def test_what_undoes_a_call_is_said_by_the_document_or_by_the_action(program: Program) -> None:
    charge, book, keep = (task(program, name, Call) for name in ("charge", "book", "keep"))
    assert charge.undo
    assert (charge.undo.function, charge.undo.version) == ("cancel-car", "1.1.0")
    assert charge.undo.with_ == ObjectOf((("id", Expression("$output.id")),))
    assert book.undo
    assert (book.undo.function, book.undo.version) == ("cancel-car", "1.1.0")
    assert (book.undo.with_, book.undo.fields) == (None, ("customer_id", "id"))
    assert keep.undo is None
    assert (charge.idempotency_key, book.idempotency_key, keep.idempotency_key) == (".order", '"order-1"', None)


def test_blocks(program: Program) -> None:
    loop, inline = task(program, "loop", For), task(program, "inline", For)
    assert (loop.each, loop.at, loop.in_, loop.while_) == ("pet", "n", Expression(".pets"), "$pet.ok")
    assert (inline.each, inline.at, inline.in_, inline.while_) == ("item", "index", Constant([{"a": 1}]), None)
    race = task(program, "race", Fork)
    assert race.compete
    assert [branch.name for branch in race.branches.tasks] == ["fast", "slow"]
    assert race.branches[0].then == "exit"


def test_catches_and_retries(program: Program) -> None:
    attempt = task(program, "attempt", Try)
    assert attempt.saga
    catch, retry = attempt.catch, attempt.catch.retry
    assert catch.errors == {"type": Constant("https://example.com/late"), "status": Constant(504)}
    assert (catch.as_, catch.when, catch.except_when, catch.then) == (
        "problem",
        "$problem.status == 504",
        '.detail == "never"',
        "choose",
    )
    assert catch.tasks
    assert retry
    assert (retry.delay, retry.backoff, retry.count) == (timedelta(seconds=2), "exponential", 3)
    assert retry.jitter == (timedelta(0), timedelta(seconds=1))
    assert (retry.attempt_timeout, retry.duration) == (timedelta(seconds=10), timedelta(minutes=5))
    error = task(program, "complain", Raise).error
    assert isinstance(error, ObjectOf)
    assert dict(error.items)["title"] == Expression(".title")
    assert task(program, "choose", Switch).default


def test_events(program: Program) -> None:
    tell = task(program, "tell", Emit)
    assert isinstance(tell.event, ObjectOf)
    hear, gather, watch = (task(program, name, Listen) for name in ("hear", "gather", "watch"))
    assert (hear.to.mode, hear.read, hear.foreach) == ("one", "envelope", None)
    assert (hear.to.filters[0].correlate["order"].from_, hear.to.filters[0].correlate["order"].expect) == (
        ".order",
        None,
    )
    assert isinstance(gather.to.until, Strategy)
    assert gather.to.until.mode == "one"
    foreach = gather.foreach
    assert foreach
    assert foreach.tasks
    assert (foreach.item, foreach.at, foreach.output_as) == ("vote", "position", Expression(".vote"))
    assert (foreach.output_schema, foreach.export_schema) == ({}, None)
    assert (watch.to.mode, watch.to.filters, watch.to.until, watch.read) == ("any", (), "length > 3", "data")


def test_children_are_exact_versions(program: Program) -> None:
    child, again = (task(program, name, RunWorkflow) for name in ("child", "again"))
    assert (child.namespace, child.workflow, child.version, child.await_) == ("demo", "invoice", "2.1.0", False)
    assert child.input == ObjectOf((("id", Expression(".id")),))
    assert (again.workflow, again.version, again.input, again.await_) == ("everything", "1.0.0", Constant({}), True)
    many = task(program, "many", Call).with_
    assert isinstance(many, ObjectOf)
    assert dict(many.items)["workflow"] == Constant({"namespace": "demo", "name": "invoice", "version": "2.0.0"})


def test_a_child_that_is_found_at_run_time_is_left_open() -> None:
    source = document("- a: {call: map, with: {items: [], workflow: {name: '${ .w }', version: 1.0.0}}}")
    lock = lock_functions(source, Actions())
    assert lock == {"map": "map:1.0.0"}
    call = build(source, lock).tasks[0]
    assert isinstance(call, Call)
    assert isinstance(call.with_, ObjectOf)


@pytest.mark.parametrize(
    "tasks",
    [
        "- a: {run: {workflow: {namespace: demo, name: nope, version: latest}}}",
        "- a: {run: {workflow: {namespace: demo, name: invoice, version: 9.9.9}}}",
        "- a: {for: {in: .}, do: [{b: {call: nope}}]}",
        "- a: {try: [], catch: {do: [{b: {call: nope}}]}}",
        "- a: {fork: {branches: [{b: {call: nope}}]}}",
        "- a: {listen: {to: {any: []}}, foreach: {do: [{b: {call: nope}}]}}",
        "- a: {call: send-mail, metadata: {dotdo: {undo: {call: nope}}}}",
        "- a: {call: book-boat}",
    ],
)
def test_the_lock_looks_everywhere(tasks: str) -> None:
    with pytest.raises(LookupError, match="validate the document first"):
        lock_functions(document(tasks), Actions())


def test_schedules_by_time() -> None:
    def schedule(given: dict[str, Any]) -> Any:
        return build(document("- a: {set: {}}", schedule=given), {}).schedule

    assert (schedule({"every": "PT5M"}).interval, schedule({"every": "PT5M"}).missed) == (
        timedelta(minutes=5),
        "latest",
    )
    assert schedule({"after": {"days": 1}}).interval == timedelta(days=1)
    assert (schedule({"cron": "0 2 * * *"}).cron, schedule({"cron": "0 2 * * *"}).timezone) == ("0 2 * * *", "UTC")


def test_a_thousand_tasks_are_checked_and_read_in_about_a_second() -> None:
    tasks: list[Any] = [
        {f"t{number}": {"call": "charge-card", "with": {"customer_id": f"${{ .c{number} }}", "amount": number + 1}}}
        for number in range(400)
    ]
    tasks += [
        {f"l{number}": {"for": {"in": f".x{number} | sort"}, "do": [{"s": {"set": {"n": "${ $item + $index }"}}}]}}
        for number in range(300)
    ]
    source = document("- a: {set: {}}") | {"do": tasks}
    started = time.monotonic()
    assert problems(source) == []
    build(source, lock_functions(source, Actions()))
    assert time.monotonic() - started < 3


def test_two_thousand_different_expressions_are_compiled_in_about_a_second() -> None:
    tasks = [{f"t{n}": {"set": {"a": f"${{ .a{n} | tostring }}", "b": f"${{ .b{n} + 1 }}"}}} for n in range(1_000)]
    started = time.monotonic()
    assert problems(document("- a: {set: {}}") | {"do": tasks}) == []
    assert time.monotonic() - started < 6
