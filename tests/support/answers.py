"""Actions whose answers stand in a table: `TABLE` holds what the task of each name answers, call after call.

The last answer of a task is repeated; a task that is not in the table answers with its own input. An answer is
`{output: value}` or `{error: {code, message, status}}`; `takes` is how long it takes, in seconds.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from actions import ActionError, Retry, action
from actions.context import Context

ONCE = Retry(max_attempts=1)
ANYTHING = {"type": "object"}
CHARGE = {
    "type": "object",
    "properties": {"customer_id": {"type": "string"}, "amount": {"type": "number", "exclusiveMinimum": 0}},
    "required": ["customer_id", "amount"],
    "additionalProperties": False,
}
ROOM = {"what": "string", "nights?": "integer"}
NAMES = ("test-answer", "test-book", "test-cancel", "test-charge")

Answer = Mapping[str, Any]


@dataclass
class Answers:
    """The table, and how often each task has asked."""

    rows: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def next(self, task: str, value: Any) -> Answer:
        """Return the next answer for a task, and remember that it asked."""
        rows = self.rows.get(task) or [{"output": value}]
        answer = rows[min(self.asked[task], len(rows) - 1)]
        self.asked[task] += 1
        self.calls.append((task, value))
        return answer

    def fill(self, rows: Mapping[str, Sequence[Answer]]) -> None:
        """Begin anew with other rows."""
        self.rows = rows
        self.asked.clear()
        self.calls.clear()


TABLE = Answers()


@action("test-answer", retry=ONCE, transactional=False, input=ANYTHING)
def answer(ctx: Context, **fields: Any) -> Any:
    return give(TABLE.next(task_name(ctx.step_key), fields))


@action("test-charge", "1.0.0", retry=ONCE, transactional=False, input=CHARGE)
def charge_before(ctx: Context, **fields: Any) -> Any:
    return give(TABLE.next(task_name(ctx.step_key), fields))


@action("test-charge", "1.2.0", retry=ONCE, transactional=False, input=CHARGE)
def charge(ctx: Context, **fields: Any) -> Any:
    return give(TABLE.next(task_name(ctx.step_key), fields))


@action(
    "test-book", retry=ONCE, transactional=False, input={"what": "string", "nights?": "integer"}, undo="test-cancel"
)
def book(ctx: Context, **fields: Any) -> Any:
    return give(TABLE.next(task_name(ctx.step_key), fields))


@action("test-cancel", retry=ONCE, transactional=False, input={"what": "string", "booking": "string"})
def cancel(ctx: Context, **fields: Any) -> Any:
    return give(TABLE.next(task_name(ctx.step_key), fields))


def task_name(key: str) -> str:
    """Return the name of the task in a step's key, without the number of the visit."""
    return key.rpartition("/")[2].partition("[")[0]


def give(found: Answer) -> Any:
    """Return the output of an answer, after the time that it takes. Raises ActionError."""
    time.sleep(found.get("takes", 0))
    return given(found)


def given(found: Answer) -> Any:
    """Return the output of an answer at once. Raises ActionError."""
    if "error" not in found:
        return found.get("output")
    error = found["error"]
    details = {"status": error["status"]} if "status" in error else {}
    message = error.get("message", "the other side said no")
    raise ActionError(error.get("code", "declined"), message, retryable=False, details=details)
