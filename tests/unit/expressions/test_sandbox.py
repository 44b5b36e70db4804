"""Hostile expressions end within their limits, reach nothing, and leave the sandbox usable."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from workflows.expressions import ExpressionError, compiles, evaluate
from workflows.expressions.evaluation import _in_sandbox
from workflows.expressions.sandbox import SANDBOX, Sandbox
from workflows.expressions.sandbox_worker import VALUE

BOMBS = {
    "endless recursion": "def f: f; f",
    "endless range": "last(range(1e12))",
    "collected range": "[range(1e9)] | length",
    "repeated string": '"a" * 1e9 | length',
    "doubled string": 'reduce range(60) as $i ("a"; . + .) | length',
    "nested a million deep": "reduce range(1000000) as $i (null; [.])",
    "nested a hundred thousand deep": "reduce range(100000) as $i (null; [.])",
    "nested nine thousand deep": "reduce range(9000) as $i (null; [.])",
    "nested and written": "reduce range(100000) as $i (null; [.]) | tojson | length",
    "deep recursion": "def f: 1 + f; f",
    "regex backtracking": '("a" * 40 + "!") | test("^(a+)+$")',
    "regex of stars": '("a" * 30 + "b") | test("(.*)*(.*)*(.*)*c")',
    "far index": "null | setpath([1e8]; 1) | length",
    "farther index": "[] | .[536870911] = 1 | length",
    "endless search": "first(repeat(.) | select(false))",
    "a billion outputs": "[limit(1e9; repeat(1))] | length",
    "many outputs": "range(1e7)",
    "deep getpath": 'getpath([range(100000) | "a"])',
    "bad code point": "[1114112] | implode",
    "negative code point": "[-1] | implode",
    "far future": '1e300 | strftime("%Y")',
    "bad year": '"99999999999999" | strptime("%Y")',
    "large join": '[range(1e6) | tostring] | join(",") | length',
    "large text": "[range(1e7)] | tojson | length",
    "large format": "[range(1e7)] | @text | length",
    "many splits": '("a" * 1e7) | [splits("a")] | length',
    "combinations": "[range(20)] | [., ., ., ., ., ., .] | [combinations] | length",
    "own tojson": "def tojson: 1; def __json: 2; .",
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    own = Sandbox()
    yield own
    own.close()


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_ends_within_its_limit_and_the_sandbox_lives(bomb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SANDBOX, "limit_s", 0.3)
    started = time.monotonic()
    with contextlib.suppress(ExpressionError):
        evaluate(bomb, None, {})
    assert time.monotonic() - started < 3
    assert evaluate("1 + 1", None, {}) == 2


def test_an_expression_whose_worker_was_frozen_for_longer_than_its_limit_has_its_value(sandbox: Sandbox) -> None:
    sandbox.limit_s = 0.2
    sandbox.run(VALUE, "1", b"null")
    os.kill(sandbox.pid or 0, signal.SIGSTOP)
    threading.Timer(0.6, os.kill, [sandbox.pid, signal.SIGCONT]).start()
    assert sandbox.run(VALUE, "[1] | tojson", b"null") == (VALUE, b"[[1]]")


def test_an_expression_whose_worker_never_comes_back_is_given_to_another(sandbox: Sandbox) -> None:
    sandbox.limit_s = 0.1
    sandbox.run(VALUE, "1", b"null")
    os.kill(sandbox.pid or 0, signal.SIGSTOP)
    assert sandbox.run(VALUE, "[1] | tojson", b"null") == (VALUE, b"[[1]]")


def test_an_expression_of_a_process_that_was_frozen_for_longer_than_its_limit_has_its_value() -> None:
    program = (
        "from workflows.expressions.sandbox import SANDBOX\nSANDBOX.limit_s = 0.05\n"
        "for _ in range(300): SANDBOX.run(b'v', '[range(3000)] | length | tostring', b'null')\nprint('good')"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        time.sleep(0.3)
        for _ in range(4):
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.6)
            process.send_signal(signal.SIGCONT)
            time.sleep(0.05)
        assert process.communicate()[0] == "good\n"


@pytest.mark.parametrize(
    "text",
    ["$ENV", "env", "input", "halt", "modulemeta", 'import "x" as $p {search: "."}; $p', 'include "x"; .', "$ENV.PATH"],
)
def test_the_prelude_holds_even_if_the_scan_is_fooled(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.expressions.scan.forbidden", lambda expression: None)
    try:
        result = _in_sandbox(text, None, {})
    except ExpressionError:
        return
    assert result in ({}, None)


def test_the_worker_has_no_environment_and_cannot_open_a_file(tmp_path: Path) -> None:
    probe = tmp_path / "probe.py"
    worker = Path(sys.modules["workflows.expressions.sandbox_worker"].__file__ or "")
    probe.write_text(
        f"import os, runpy\nworker = runpy.run_path({str(worker)!r})\nworker['confine'](256)\n"
        "print(dict(os.environ).get('SECRET'))\n"
        "try:\n    open('/etc/passwd')\nexcept OSError as error:\n    print(error.errno)\n"
    )
    shown = subprocess.run([sys.executable, "-I", str(probe)], env={}, capture_output=True, text=True, check=False)
    assert shown.stdout.split() == ["None", "24"], shown.stderr
    environment = Path(f"/proc/{_pid()}/environ")
    if environment.exists():
        assert environment.read_bytes() == b""


def test_too_much_input_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ExpressionError, match="the limit is 1048576"):
        evaluate(". | length", "x" * (1 << 20), {})


def test_too_much_output_is_refused() -> None:
    with pytest.raises(ExpressionError, match="larger than 1048576 bytes"):
        evaluate('"a" * 2000000', None, {})


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), {1, 2}])
def test_data_that_is_not_json_is_an_expression_error(bad: object) -> None:
    with pytest.raises(ExpressionError, match="cannot read its data"):
        evaluate("[.]", bad, {})


def test_results_that_could_not_be_stored_are_refused() -> None:
    for text, reason in [('"\\u0000"', "U\\+0000"), ("1e1000", "1.8e308"), ("reduce range(70) as $i (0; [.])", "64")]:
        with pytest.raises(ExpressionError, match=reason):
            evaluate(text, None, {})
    assert evaluate('"\\\\u0000"', None, {}) == "\\u0000"


def test_only_mentioned_variables_are_sent() -> None:
    class Watched(dict[str, object]):
        def __getitem__(self, key: str) -> object:
            assert key == "context"
            return super().__getitem__(key)

    variables = Watched(context={"a": 1}, workflow=object())
    assert evaluate("$context | keys", None, variables) == ["a"]


@pytest.mark.parametrize(("text", "value"), [("empty", None), (".[0]", 1), (".[]", [1, 2]), ("[.[]]", [1, 2])])
def test_r22_no_one_or_many_outputs(text: str, value: object) -> None:
    assert _in_sandbox(text, [1, 2], {}) == value


def test_numbers_keep_their_digits() -> None:
    assert evaluate("[.[]]", [9007199254740993, 0.1, 1.0], {}) == [9007199254740993, 0.1, 1.0]


def test_a_killed_worker_is_replaced(sandbox: Sandbox) -> None:
    sandbox.run(b"e", '"ready"', b"1")
    first = sandbox.pid
    assert first
    os.kill(first, signal.SIGKILL)
    time.sleep(0.05)
    assert sandbox.run(b"e", '"still here"', b"1")[1] == b"[still here]"
    assert sandbox.pid != first


def test_a_worker_leaves_when_its_owner_closes(sandbox: Sandbox) -> None:
    sandbox.run(b"e", '"ready"', b"1")
    process = sandbox._process
    assert process
    sandbox.close()
    assert process.returncode is not None
    assert sandbox.pid is None


def test_a_forked_process_gets_a_sandbox_of_its_own() -> None:
    parents = _pid()
    child = os.fork()
    if child == 0:
        os._exit(0 if SANDBOX.pid is None and evaluate("1 + 1", None, {}) == 2 and SANDBOX.pid != parents else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert evaluate("1 + 2", None, {}) == 3
    assert SANDBOX.pid == parents


def test_a_worker_dies_with_a_killed_parent() -> None:
    code = (
        "from workflows.expressions.sandbox import SANDBOX\nfrom workflows.expressions import evaluate\n"
        "evaluate('1 + 1', None, {})\nprint(SANDBOX.pid, flush=True)\nevaluate('last(range(1e12))', None, {})"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while _alive(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(worker)


def test_threads_get_their_own_answers() -> None:
    wrong: list[object] = []

    def ask(number: int) -> None:
        for turn in range(50):
            if evaluate(f"[{number}, .]", turn, {}) != [number, turn]:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_interrupted_evaluation_does_not_answer_the_next_one() -> None:
    class Interrupted(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Interrupted):
            evaluate("last(range(1e12))", None, {})
    finally:
        signal.signal(signal.SIGALRM, before)
    assert evaluate('"mine"', None, {}) == "mine"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 +", "unexpected end of file (line 1, column 3)"),
        (".a\n| foo", "foo/0 is not defined (line 2, column 3)"),
        ("1) | (2", "(line 1, column 2)"),
        ("", "unexpected end of file"),
        (". as $x", "expecting '|'"),
        ("$secrets.key", "$secrets is not defined"),
        ("input", "`input` is not allowed"),
        ('"a" } and ${ "b"', "syntax error"),
        ("x" * 5000, "longer than 4096 bytes"),
    ],
)
def test_what_does_not_compile_is_explained_in_the_author_s_coordinates(text: str, reason: str) -> None:
    assert reason in (compiles(text) or "")


def test_only_the_variables_of_the_place_compile() -> None:
    assert compiles("$input.a") is None
    assert compiles("$output.a", {"input"}) == "$output is not defined (line 1, column 1)"
    assert compiles(". as $mine | $mine", set()) is None


def _pid() -> int:
    evaluate("1 + 1", None, {})
    assert SANDBOX.pid
    return SANDBOX.pid


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
