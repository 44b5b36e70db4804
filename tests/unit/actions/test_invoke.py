import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from actions import ActionError, Context, action, registry
from actions.contract import Contract
from actions.handlers.kinds import KINDS
from actions.invoke import Outcome, invoke
from actions.logs import CAP_BYTES


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    registry.forget(["inv-x"])


def run(function: Any, value: Any = None, **settings: Any) -> Outcome:
    settings = {"transactional": False, "timeout": "5s", **settings}
    action("inv-x", **settings)(function)
    return invoke(contract(), {} if value is None else value, context())


def contract() -> Contract:
    spec = registry.handler("inv-x", "1.0.0")
    assert spec is not None
    return spec.contract


def context() -> Context:
    return Context(run_id="r", step_key="s", attempt=1, idempotency_key="r:s", fence=1)


def code(outcome: Outcome) -> str:
    assert outcome.failure is not None
    return outcome.failure.code


def test_a_result_is_returned_as_json() -> None:
    def handler(ctx: Context, a: int) -> dict[str, int]:
        return {"a": a + ctx.attempt}

    outcome = run(handler, {"a": 1})
    assert (outcome.ok, outcome.output, outcome.failure) == (True, {"a": 2}, None)
    assert outcome.seconds < 1


@pytest.mark.parametrize("annotation", [Any, dict[str, Any], dict[str, list[int]]])
def test_a_handler_that_goes_on_to_change_what_it_returned_changes_no_result(annotation: Any) -> None:
    kept: dict[str, list[int]] = {"n": [1]}

    def handler(ctx: Context) -> Any:
        return kept

    handler.__annotations__["return"] = annotation
    outcome = run(handler)
    kept["n"].append(2)
    kept["more"] = []
    assert outcome.output == {"n": [1]}


def test_a_handler_that_changes_its_input_changes_what_it_was_given_alone() -> None:
    def handler(ctx: Context, items: list[int]) -> int:
        items.append(2)
        return len(items)

    value = {"items": [1]}
    assert run(handler, value).output == 2
    assert value == {"items": [1]}


def test_an_input_that_breaks_the_schema_never_reaches_the_handler() -> None:
    called = []

    def handler(ctx: Context, a: int, b: str) -> None:
        called.append(a)

    outcome = run(handler, {"a": "x"})
    assert code(outcome) == "invalid_input"
    assert outcome.failure is not None
    assert outcome.failure.definite
    assert not outcome.failure.retryable
    assert {problem["pointer"] for problem in outcome.failure.details["problems"]} == {"/a", "/b"}
    assert called == []


@pytest.mark.parametrize("value", [[], "x", 5, {"a": "\x00"}, {"a": float("nan")}])
def test_hostile_inputs_are_invalid_not_crashes(value: Any) -> None:
    def handler(ctx: Context, **fields: Any) -> None: ...

    assert code(run(handler, value, input={"type": ["object", "array", "string", "integer"]})) == "invalid_input"


@pytest.mark.parametrize(
    ("raised", "expected", "retryable", "definite"),
    [
        (ActionError("declined", "no"), "declined", False, True),
        (ActionError("busy", "later", retryable=True), "busy", True, False),
        (RuntimeError("boom"), "runtime_error", True, False),
        (SystemExit(3), "system_exit", True, False),
        (KeyboardInterrupt(), "interrupted", True, False),
        (GeneratorExit(), "generator_exit", True, False),
        (RecursionError("deep"), "recursion_error", True, False),
    ],
)
def test_whatever_a_handler_raises_is_a_failure_of_its_attempt(
    raised: BaseException, expected: str, retryable: bool, definite: bool
) -> None:
    def handler(ctx: Context) -> None:
        raise raised

    outcome = run(handler)
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.retryable, outcome.failure.definite) == (
        expected,
        retryable,
        definite,
    )


def test_a_traceback_begins_in_the_handler() -> None:
    def handler(ctx: Context) -> None:
        raise RuntimeError("boom")

    outcome = run(handler)
    assert outcome.failure is not None
    assert "in handler" in outcome.failure.traceback.splitlines()[1]


def test_a_structured_refusal_is_a_failure() -> None:
    def handler(ctx: Context) -> dict[str, object]:
        return {"success": False, "error": "sold_out", "message": "none left", "retryable": True}

    outcome = run(handler)
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.message, outcome.failure.retryable) == ("sold_out", "none left", True)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"id": 5}, "invalid_output"),
        (object(), "invalid_output"),
        ({"id": "\x00"}, "invalid_output"),
        ({"id": float("nan")}, "invalid_output"),
        ({"id": "x" * 1_100_000}, "result_too_large"),
    ],
)
def test_a_result_that_breaks_its_promise_is_a_final_failure(result: Any, expected: str) -> None:
    def handler(ctx: Context) -> Any:
        return result

    outcome = run(handler, output={"id": "string"})
    assert code(outcome) == expected
    assert outcome.failure is not None
    assert not outcome.failure.retryable
    assert not outcome.failure.definite


def test_a_handler_that_sleeps_too_long_is_stopped() -> None:
    def handler(ctx: Context) -> None:
        time.sleep(5)

    outcome = run(handler, timeout="200ms")
    assert code(outcome) == "timeout"
    assert outcome.failure is not None
    assert outcome.failure.retryable
    assert "sleep" in outcome.failure.traceback
    assert outcome.seconds < 1
    assert not outcome.interrupted


def test_a_handler_that_catches_everything_is_stopped_all_the_same() -> None:
    def handler(ctx: Context) -> str:
        for _ in range(2):
            try:  # noqa: SIM105 - written as authors write it
                time.sleep(5)
            except BaseException:  # noqa: BLE001 - the mistake under test
                pass
        return "late"

    outcome = run(handler, timeout="100ms")
    assert code(outcome) == "timeout"
    assert outcome.interrupted
    assert outcome.seconds < 3


def test_no_alarm_rings_after_the_attempt() -> None:
    def handler(ctx: Context) -> None: ...

    before = signal.getsignal(signal.SIGALRM)
    run(handler, timeout="50ms")
    time.sleep(0.1)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_an_alarm_inside_a_query_says_that_the_connection_is_lost() -> None:
    def handler(ctx: Context) -> None:
        exec(compile("import time; time.sleep(5)", "psycopg/cursor.py", "exec"), {"__name__": "psycopg.cursor"})

    outcome = run(handler, timeout="100ms")
    assert code(outcome) == "timeout"
    assert outcome.interrupted


def test_a_handler_sees_its_deadline_and_a_lost_lease() -> None:
    seen = []

    def handler(ctx: Context) -> None:
        seen.extend([ctx.remaining(), ctx.should_stop()])
        ctx.stop.set()
        seen.append(ctx.should_stop())

    run(handler, timeout="5s")
    assert 4 < seen[0] <= 5
    assert seen[1:] == [False, True]


def test_everything_a_handler_says_is_kept_with_the_attempt() -> None:
    def handler(ctx: Context) -> None:
        ctx.log("charged", amount=5)
        ctx.warning("slow")
        logging.getLogger("shop").error("gone %s", "wrong")
        print("printed\nlines")
        print("unfinished", end="", file=sys.stderr)

    lines = [(line["level"], line["source"], line["message"]) for line in run(handler).log]
    assert lines == [
        ("info", "handler", "charged amount=5"),
        ("warning", "handler", "slow"),
        ("error", "shop", "gone wrong"),
        ("info", "stdout", "printed"),
        ("info", "stdout", "lines"),
        ("warning", "stderr", "unfinished"),
    ]


def test_what_was_said_before_a_failure_is_kept_and_nothing_after_it() -> None:
    def handler(ctx: Context) -> None:
        print("before")
        raise RuntimeError

    out = sys.stdout
    assert [line["message"] for line in run(handler).log] == ["before"]
    assert sys.stdout is out
    logging.getLogger("shop").warning("after")


def test_secrets_do_not_reach_log_message_or_traceback() -> None:
    def handler(ctx: Context, card_number: str, pin_code: str) -> None:
        print(f"charging {card_number}")
        ctx.log("now", password="canary-1", nested={"token": "canary-1"})
        logging.getLogger("shop").info("api_key=canary-1")
        raise ActionError("declined", f"card {card_number} pin {pin_code}", details={"card": card_number})

    schema = {
        "type": "object",
        "properties": {"card_number": {"type": "string"}, "pin_code": {"type": "string", "x-sensitive": True}},
        "required": ["card_number", "pin_code"],
    }
    outcome = run(handler, {"card_number": "canary-1", "pin_code": "canary-1"}, input=schema)
    assert outcome.failure is not None
    assert "canary-1" not in str(outcome.log) + str(outcome.failure.as_dict())
    assert code(outcome) == "declined"


def test_a_flood_of_output_is_cut_and_says_how_much() -> None:
    def handler(ctx: Context) -> None:
        for _ in range(3_000):
            print("x" * 100)
        for _ in range(10_000):
            print()

    log = run(handler).log
    assert sum(len(line["message"]) for line in log) < CAP_BYTES + 200
    assert len(log) < 5_000
    assert "were not kept" in log[-1]["message"]


def test_control_characters_cannot_forge_or_colour_a_log() -> None:
    def handler(ctx: Context) -> None:
        ctx.log("a\x1b[31mred\r\n\u202eb\x00")

    text = run(handler).log[0]["message"]
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\x00" not in text


def test_another_threads_output_is_not_mixed_in(capsys: pytest.CaptureFixture[str]) -> None:
    def handler(ctx: Context) -> None:
        other = threading.Thread(target=print, args=("from elsewhere",))
        other.start()
        other.join()

    assert run(handler).log == []
    assert "from elsewhere" in capsys.readouterr().out


def test_an_unknown_handler_may_be_known_elsewhere() -> None:
    def handler(ctx: Context) -> None: ...

    run(handler)
    known = contract()
    registry.forget(["inv-x"])
    outcome = invoke(known, {}, context())
    assert code(outcome) == "no_handler"
    assert outcome.failure is not None
    assert outcome.failure.retryable
    assert outcome.failure.definite


def test_a_request_inside_a_transactional_handler_is_refused() -> None:
    def handler(ctx: Context) -> None:
        ctx.http.request("GET", "https://example.com/")

    assert code(run(handler, transactional=True)) == "http_in_transaction"


def test_a_result_that_only_looks_like_json_fails_the_attempt_and_not_the_worker(monkeypatch: Any) -> None:
    class Text(str):
        """What `email.message` returns for a header."""

        __slots__ = ()

    monkeypatch.setattr(KINDS["python"], "run", lambda *_: {"id": Text("x")})
    outcome = run(lambda ctx: None, output={"id": "string"})
    assert code(outcome) == "invalid_output"


def test_a_stream_that_a_handler_closed_or_left_unfinished_is_whole_for_the_next() -> None:
    def closes(ctx: Context) -> None:
        print("left", end="")
        sys.stdout.close()

    def prints(ctx: Context) -> None:
        print("own", sys.stdout.closed)

    assert [line["message"] for line in run(closes).log] == ["left"]
    registry.forget(["inv-x"])
    assert [line["message"] for line in run(prints).log] == ["own False"]


def test_a_stream_that_a_handler_keeps_says_nothing_in_the_name_of_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    kept: list[Any] = []

    def keeps(ctx: Context) -> None:
        kept.append(sys.stdout)

    run(keeps)
    print("after", file=kept[0])
    assert "after" in capsys.readouterr().out
