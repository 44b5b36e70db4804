"""What publishing would refuse is refused by the call that makes it, with the place."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.language.support import Actions
from workflows.build import (
    BuildError,
    Workflow,
    approval,
    call,
    case,
    do,
    each_event,
    emit,
    event,
    expr,
    for_each,
    fork,
    http,
    listen_any,
    listen_one,
    map_,
    openapi,
    otherwise,
    raise_,
    retry,
    run_workflow,
    set_,
    switch,
    task,
    try_,
    until_one,
    wait,
    wait_until,
)


def deep(levels: int) -> dict[str, Any]:
    """Return an object inside an object, and so on."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"in": value}
    return value


WORKFLOW = Workflow("tests", "any", "1.0.0")
ONE = set_("one", a=1)
# what makes it -> (the call that the error names, place, beginning of what it says)
REFUSED: list[tuple[Callable[[], Any], str, str, str]] = [
    (lambda: call("end", "charge-card"), 'call("end")', "", "`end` is a directive"),
    (lambda: call("a b", "charge-card"), 'call("a b")', "", "this cannot name a task"),
    (lambda: call("a", "charge-card:^1"), 'call("a")', "/call", "a version must be exact"),
    (lambda: call("a", "charge-card:1.0.0@elsewhere"), 'call("a")', "/call", "there is no other catalog"),
    (lambda: call("a", "grpc"), 'call("a")', "/call", "`call: grpc`"),
    (lambda: call("a", "datastore.set", key="k"), 'call("a")', "/with/value", "the argument"),
    (lambda: call("a", "x", text="Hello ${ .name }"), 'call("a")', "/with/text", "only a whole text"),
    (lambda: call("a", "x", n=expr(".[")), 'call("a")', "/with/n", "the expression is wrong"),
    (lambda: call("a", "x", n=expr("env")), 'call("a")', "/with/n", "the expression is wrong"),
    (lambda: call("a", "x", n=Decimal("1.5")), 'call("a")', "/with/n", "JSON has no Decimal"),
    (lambda: call("a", "x", n=2**60), 'call("a")', "/with/n", "the number is beyond"),
    (lambda: call("a", "x", n="\0"), 'call("a")', "/with/n", "the text contains"),
    (lambda: call("a", "x", n={1: 2}), 'call("a")', "/with/n", "the key 1 is not a text"),
    (lambda: expr("${ .a }"), "expr('${ .a }')", "", "give the jq text itself"),
    (lambda: expr(" "), "expr(' ')", "", "an expression is not empty"),
    (lambda: http("a", "GET", "https://example.com", output="xml"), 'http("a")', "/with/output", ""),
    (lambda: http("a", "GET", "https://example.com", authentication={"digest": {}}), 'http("a")', "/with/endpoint", ""),
    (lambda: openapi("a", "https://example.com", "get", {}, output="xml"), 'openapi("a")', "/with/output", ""),
    (lambda: set_("a", "text"), 'set_("a")', "/set", "`set` must be"),
    (lambda: set_("a", {"b": 1}, c=2), 'set_("a")', "", "give one value or members"),
    (lambda: switch("a"), 'switch("a")', "/switch", "`switch` must be"),
    (lambda: switch("a", otherwise("b"), otherwise("c", "d")), 'switch("a")', "/switch", "only one case"),
    (lambda: switch("a", case("b", ".x >", "end")), 'switch("a")', "/switch/0/b/when", "the expression is wrong"),
    (lambda: do("a", call("b", "x"), call("b", "x")), 'do("a")', "/do/1/b", "there is another task"),
    (lambda: do("a", "b"), 'do("a")', "/0", "this is not a task"),  # type: ignore[arg-type]
    (lambda: do("a", try_("b", ONE)), 'do("a")', "/0", "this is not a task but Trying; finish it"),  # type: ignore[arg-type]
    (lambda: do("a", ONE.then("two")), 'do("a")', "/do/0/one/then", "there is no such task"),
    (lambda: do("a", ONE.then("exit"), set_("two")), 'do("a")', "/do/1/two", "nothing leads to this task"),
    (lambda: for_each("a", ".items", do=[], each="2nd"), 'for_each("a")', "/for/each", ""),
    (lambda: for_each("a", 5, do=[ONE]), 'for_each("a")', "/for/in", ""),
    (lambda: fork("a", ONE, ONE), 'fork("a")', "/fork/branches/1/one", "there is another task"),
    (lambda: fork("a", ONE.then("two"), set_("two")), 'fork("a")', "/fork/branches/0/one/then", "a branch cannot"),
    (lambda: try_("a", ONE).catch(retry={"delay": "PT1S"}), 'try_("a")', "/catch/retry", ""),
    (lambda: retry(count=-1), "retry", "/limit/attempt/count", ""),
    (lambda: retry(count=1, backoff="slow"), "retry", "/backoff", ""),
    (lambda: retry(delay="PT1S"), "retry", "", "retries without a limit would never end"),
    (lambda: retry(delay="soon", count=1), "retry", "/delay", "`soon` is not an ISO 8601 duration"),
    (lambda: retry(count=1, when=".["), "retry", "/when", "the expression is wrong"),
    (lambda: Workflow.from_yaml("x"), "Workflow.from_yaml", "", "line 1, column 1: the document is not an object"),
    (lambda: ONE.then("nowhere!"), 'set_("one")', "/then", "there is no such task"),
    (lambda: wait("a", minutes="x"), 'wait("a")', "/wait", '`minutes` must be a whole number, 0 or more, not "x"'),  # type: ignore[arg-type]
    (lambda: try_("a", ONE).catch(errors={"kind": 1}), 'try_("a")', "/catch/errors/with/kind", "`kind` is not a key"),
    (lambda: raise_("a", type="https://example.com"), 'raise_("a")', "/raise/error", "`status` is missing"),
    (lambda: wait("a", "P1M"), 'wait("a")', "/wait", "`P1M`: years and months"),
    (lambda: wait("a", days=400), 'wait("a")', "/wait", "a wait may last"),
    (lambda: wait("a", fortnights=1), 'wait("a")', "/wait", "`fortnights` is not a unit"),
    (lambda: wait("a"), 'wait("a")', "", "give a duration"),
    (lambda: wait("a", "PT1S", seconds=1), 'wait("a")', "", "give a duration"),
    (lambda: emit("a", "t", colour_="red"), 'emit("a")', "/emit/event/with/colour_", ""),
    (lambda: listen_one("a", {}), 'listen_one("a")', "/listen/to/one", ""),
    (lambda: listen_one("a", event("t"), read="all"), 'listen_one("a")', "/listen/read", ""),
    (lambda: listen_any("a", until={"some": []}), 'listen_any("a")', "/listen/to/until", ""),
    (lambda: listen_any("a", until=until_one({"with": {}})), 'listen_any("a")', "/listen/to/until", ""),
    (lambda: listen_one("a", event("t"), foreach=each_event(at="1")), 'listen_one("a")', "/foreach/at", ""),
    (lambda: run_workflow("a", "ns", "child", "^1"), 'run_workflow("a")', "/run/workflow/version", ""),
    (lambda: approval("a", ""), 'approval("a")', "/with/title", "the argument"),
    (lambda: approval("a", "t", due_in="soon"), 'approval("a")', "/with/dueIn", "the argument"),
    (lambda: map_("a", [1], "child", on_error="stop"), 'map_("a")', "/with/onError", "the argument"),
    (lambda: wait_until("a", "tomorrow"), 'wait_until("a")', "/with/at", "the argument"),
    (lambda: task("a", {"sett": {}}), 'task("a")', "", "nothing says what this task does"),
    (lambda: task("a", {"run": {"script": {}}}), 'task("a")', "/run/script", ""),
    (lambda: ONE.then("continue "), 'set_("one")', "/then", "there is no such task"),
    (lambda: ONE.timeout("P1Y"), 'set_("one")', "/timeout/after", "`P1Y`: years and months"),
    (lambda: ONE.undo("refund"), 'set_("one")', "/metadata/dotdo/undo", ""),
    (lambda: ONE.output(schema={"type": "strin"}), 'set_("one")', "/output/schema/document/type", "the schema"),
    (lambda: Workflow("tests", "Any", "1.0.0"), 'Workflow("Any")', "/document/name", "`name` is wrong"),
    (lambda: Workflow("tests", "any", "1.0"), 'Workflow("any")', "/document/version", "`version` is wrong"),
    (lambda: Workflow("tests", "any", "1.0.0", priority=9), 'Workflow("any")', "/document/metadata/dotdo/priority", ""),
    (lambda: WORKFLOW.schedule(cron="often"), 'Workflow("any").schedule', "/schedule/cron", ""),
    (WORKFLOW.schedule, 'Workflow("any").schedule', "/schedule", ""),
    (lambda: WORKFLOW.use(functions={"f": ONE}), 'Workflow("any").use', "/use/functions/f", ""),
    (lambda: WORKFLOW.use(retries={"r": {}}), 'Workflow("any").use', "/use/retries/r", ""),
    (lambda: WORKFLOW.do(ONE).do(ONE), 'Workflow("any").do', "/do", "it has its tasks already"),
    (lambda: WORKFLOW.do(call("a", "x", n=expr("$item"))), 'Workflow("any").do', "/do/0/a/with/n", "the expression"),
    (lambda: WORKFLOW.do(ONE.if_("$secrets.a")), 'Workflow("any").do', "/do/0/one/if", "the expression is wrong"),
    (lambda: WORKFLOW.do(raise_("a", "none")).to_dict(), 'Workflow("any")', "/do/0/a/raise/error", "`use.errors`"),
    (lambda: WORKFLOW.do(ONE.timeout(use="t")).to_dict(), 'Workflow("any")', "/do/0/one/timeout", "`use.timeouts`"),
    (Workflow("t", "any", "1.0.0", missed="all").do(ONE).to_dict, 'Workflow("any")', "/document/metadata", "`missed`"),
    (WORKFLOW.to_dict, 'Workflow("any")', "/do", "it has no tasks"),
    (lambda: Workflow.from_dict({"do": []}), "Workflow.from_dict", "", "`document` is missing"),
    (lambda: Workflow.from_dict([]), "Workflow.from_dict", "", "the document must be an object"),  # type: ignore[arg-type]
    (lambda: Workflow.from_dict(deep(3_000)), "Workflow.from_dict", "", "the document is nested deeper"),
    (lambda: call("a", "x", n=deep(3_000)), 'call("a")', "", "the value is nested deeper"),
    (lambda: WORKFLOW.schedule(cron="0 0 31 2 *"), 'Workflow("any").schedule', "/schedule/cron", ""),
]  # fmt: skip


@pytest.mark.parametrize(("make", "made_by", "place", "words"), REFUSED)
def test_it_is_refused_where_it_is_written(make: Callable[[], Any], made_by: str, place: str, words: str) -> None:
    with pytest.raises(BuildError) as refused:
        make()
    first = refused.value.problems[0]
    assert refused.value.made_by == made_by
    assert str(refused.value).startswith(made_by)
    assert first.pointer.startswith(place), refused.value
    assert first.message.startswith(words), refused.value


def test_what_only_the_rest_of_a_document_can_say_is_assumed_until_it_is_there() -> None:
    loop = (
        for_each(
            "loop",
            ".items",
            each="thing",
            do=[
                call("send", "send-mail", to=expr("$thing.to"), token=expr("$secrets.crm")).timeout(use="short"),
                raise_("no", "bad").if_("$thing.bad").then("exit"),
            ],
        )
        .if_(".items")
        .then("last")
    )
    workflow = (
        WORKFLOW.do(loop, set_("last", ok=True))
        .use(errors={"bad": {"type": "https://example.com/bad", "status": 400}})
        .use(timeouts={"short": {"after": {"seconds": 5}}})
    )
    with pytest.raises(BuildError, match=r"the secret `crm` is not declared"):
        workflow.to_dict()
    assert [part.name for part in workflow.use(secrets=["crm"]).tasks] == ["loop", "last"]
    assert workflow.use(secrets=["crm"]).to_dict()["use"]["secrets"] == ["crm"]


def test_settings_of_a_schedule_may_come_before_it() -> None:
    workflow = Workflow("tests", "any", "1.0.0", missed="all", timezone="Europe/Berlin").schedule(cron="0 2 * * *")
    assert workflow.do(ONE).to_dict()["schedule"] == {"cron": "0 2 * * *"}


def test_the_real_catalog_says_which_functions_there_are() -> None:
    workflow = WORKFLOW.do(call("a", "charge-crad", amount=1), call("b", "charge-card", amount="much"))
    found = [(problem.pointer, problem.suggestion) for problem in workflow.check(Actions())]
    assert ("/do/0/a/call", "Did you mean `charge-card`?") in found
    assert any(pointer.startswith("/do/1/b/with") for pointer, _ in found)


def test_durations_may_be_timedeltas() -> None:
    assert wait("a", timedelta(hours=30, milliseconds=5)).definition == {
        "wait": {"days": 1, "seconds": 21_600, "milliseconds": 5}
    }
