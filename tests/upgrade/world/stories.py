"""Every kind of wait as a story: a workflow, how many runs of it, what they come to rest as, and what ends them.

Stories are data, so that a golden history keeps its own copy of how its runs must end. Once a history was made with
a story, change the story only by adding another.
"""

import os
from dataclasses import dataclass, field
from typing import Any

Task = dict[str, Any]
Act = list[Any]
SCALE = float(os.environ.get("WORLD_SCALE", "1"))
OF = "${ $workflow.input.of }"
HOUR: Task = {"wait": "PT1H"}
LONG_TEXT = "forty-two " * 600
PAID = "com.example.world.paid"
OPEN = "com.example.world.open"


@dataclass(frozen=True)
class Story:
    """One kind of run. `marks` are the names of the rows that it leaves, each once; `calls` what the outside hears."""

    name: str
    do: list[Task]
    count: int = 5
    rests: str = "waiting"
    ends: str = "succeeded"
    marks: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    output: Any = None
    before: tuple[Act, ...] = ()
    acts: tuple[Act, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)
    phase: str = "working"

    @property
    def runs(self) -> list[str]:
        """Name the runs of the story; a smaller world has fewer of each."""
        return [f"{self.name}-{n}" for n in range(max(1, round(self.count * SCALE)))]


def task(name: str, body: Task) -> Task:
    """Name a task."""
    return {name: body}


def call(place: str, function: str, **arguments: Any) -> Task:
    """Call an action of this world, which says whose run it is."""
    return {place: {"call": function, "with": {"of": OF, **arguments}}}


def mark(name: str) -> Task:
    """Leave a row."""
    return call(name, "world-mark", name=name)


def rest(name: str = "rest") -> Task:
    """Rest for an hour."""
    return {name: HOUR}


def listen(name: str, **to: Any) -> Task:
    """Wait for events."""
    return {name: {"listen": {"to": to}}}


def one(kind: str, **more: Any) -> Task:
    """Filter by type."""
    return {"with": {"type": kind}, **more}


def undone_by(reserve: Task, undo: str) -> Task:
    """Say how a task is taken back."""
    ((name, body),) = reserve.items()
    return {name: {**body, "metadata": {"dotdo": {"undo": {"call": undo, "with": {"of": OF}}}}}}


def saga(undo: str) -> list[Task]:
    """Reserve, fail, undo, go on."""
    reserve = undone_by(mark("reserved"), undo)
    error = {"error": {"type": "https://example.com/errors/address", "status": 422}}
    scope = {"metadata": {"dotdo": {"saga": True}}, "try": [reserve, {"ship": {"raise": error}}]}
    return [{"fulfil": {**scope, "catch": {"do": [mark("caught")]}}}]


RAN: list[Task] = [{"say": {"set": {"ran": True}}}]
MINE = {"correlate": {"of": {"from": ".data.of", "expect": OF}}}
ASKED = {"title": "May we?", "assignees": {"groups": ["Operator", "Admin"]}}
ASK: Task = {"call": "approval", "with": ASKED}
CHILD: Task = {"run": {"workflow": {"namespace": "world", "name": "child", "version": "1.0.0", "input": {"of": OF}}}}
MAP: Task = {
    "call": "map",
    "with": {
        "items": "${ [range(4)] | map({of: $workflow.input.of, n: .}) }",
        "workflow": {"namespace": "world", "name": "child", "version": "1.0.0"},
        "maxConcurrency": 2,
    },
}
ADDRESS: Task = {
    "call": "datastore.set",
    "with": {"namespace": "hooks", "key": OF, "value": "${ $runtime.metadata.webhookUrl }"},
}
TIMED: Task = {"timeout": {"after": {"hours": 2}}, "do": [listen("never", one=one("com.example.world.never"))]}
HOOK = "dev.dotdo.webhook.received.v1"

STORIES = (
    Story("timer", [mark("before"), rest(), mark("after")], 16, marks=("before", "after")),
    Story(
        "moment",
        [{"until": {"call": "wait-until", "with": {"at": "${ .at }"}}}, mark("after")],
        marks=("after",),
        acts=(["fire", "/do/0/until"],),
    ),
    Story(
        "addressed",
        [listen("event", one=one(PAID)), mark("after")],
        12,
        marks=("after",),
        acts=(["event", PAID, "to it"],),
    ),
    Story(
        "mailbox",
        [rest(), listen("event", one=one(PAID)), mark("after")],
        marks=("after",),
        before=(["event", PAID, "to it"],),
    ),
    Story(
        "correlated",
        [listen("event", one=one(OPEN, **MINE)), {"take": {"set": "${ .[0].of }"}}],
        12,
        output="OF",
        acts=(["event", OPEN, "to all"],),
    ),
    Story(
        "both",
        [listen("both", all=[one("com.example.world.a"), one("com.example.world.b")]), mark("after")],
        marks=("after",),
        before=(["event", "com.example.world.b", "to it"],),
        acts=(["event", "com.example.world.a", "to it"],),
    ),
    Story(
        "each",
        [
            {
                "readings": {
                    "listen": {"to": {"any": [one(PAID)], "until": {"one": one("com.example.world.end")}}},
                    "foreach": {"item": "it", "do": [mark("read")]},
                }
            },
            mark("after"),
        ],
        marks=("read", "read", "after"),
        before=(["event", PAID, "to it"],),
        acts=(["event", PAID, "to it"], ["event", "com.example.world.end", "to it"]),
    ),
    Story(
        "webhook",
        [task("keep", ADDRESS), listen("click", one=one(HOOK)), {"take": {"set": "${ .[0].of }"}}],
        10,
        output="OF",
        acts=(["hook"],),
    ),
    Story("approval", [task("ask", ASK), mark("after")], 12, marks=("after",), acts=(["answer", "/do/0/ask"],)),
    Story(
        "escalation",
        [
            {
                "patient": {
                    "try": [{"ask": {**ASK, "with": {**ASKED, "dueIn": {"seconds": 45}}}}],
                    "catch": {"do": [mark("late")]},
                }
            }
        ],
        marks=("late",),
    ),
    Story("parent", [task("child", CHILD), mark("after")], 10, marks=("child", "after")),
    Story("many", [task("each", MAP), mark("after")], marks=("child",) * 4 + ("after",)),
    Story(
        "fork",
        [
            {
                "all": {
                    "fork": {
                        "branches": [
                            {"nap": {"do": [rest(), mark("rested")]}},
                            {"pay": {"do": [listen("event", one=one(PAID)), mark("paid")]}},
                            {"ask": ASK},
                        ]
                    }
                }
            },
            mark("after"),
        ],
        8,
        marks=("rested", "paid", "after"),
        acts=(["event", PAID, "to it"], ["answer", "/do/0/all/fork/branches/2/ask"]),
    ),
    Story(
        "race",
        [
            {
                "first": {
                    "fork": {
                        "compete": True,
                        "branches": [
                            {"never": listen("x", one=one("com.example.world.never"))["x"]},
                            {"paid": {"do": [listen("event", one=one(PAID)), mark("won")]}},
                        ],
                    }
                }
            }
        ],
        marks=("won",),
        acts=(["event", PAID, "to it"],),
    ),
    Story("backoff", [call("flaky", "world-flaky"), mark("after")], 10, marks=("after",), calls=("flaky",)),
    Story(
        "letter",
        [mark("before"), call("pay", "world-broken"), mark("after")],
        12,
        rests="failed",
        marks=("before", "after"),
        calls=("broken",),
        acts=(["command", "retries"],),
    ),
    Story("undoing", saga("world-undo-later"), marks=("reserved", "undone", "caught")),
    Story(
        "undo-failed",
        saga("world-undo-broken"),
        rests="failed",
        marks=("reserved", "undone", "caught"),
        acts=(["command", "retries"],),
    ),
    Story(
        "take-back",
        [undone_by(mark("reserved"), "world-undo-later"), listen("never", one=one("com.example.world.never"))],
        3,
        ends="cancelled",
        marks=("reserved", "undone"),
        acts=(["command", "undo"],),
    ),
    Story(
        "suspended",
        [rest(), mark("after")],
        8,
        rests="suspended",
        marks=("after",),
        before=(["command", "suspension"],),
        acts=(["command", "resumption"],),
    ),
    Story("blocked", [call("gone", "world-gone"), mark("after")], 4, marks=("gone", "after")),
    Story(
        "deadline",
        [{"try": {"try": [task("patient", TIMED)], "catch": {"do": [mark("late")]}}}],
        marks=("late",),
        acts=(["deadline"],),
    ),
    Story(
        "again",
        [
            {
                "stubborn": {
                    "try": [call("pay", "world-broken")],
                    "catch": {"retry": {"delay": {"hours": 1}, "limit": {"attempt": {"count": 3}}}},
                }
            },
            mark("after"),
        ],
        marks=("after",),
        calls=("broken",),
    ),
    Story(
        "loop",
        [
            {"text": {"set": {"text": LONG_TEXT, "n": [1, 2, 3]}}},
            {"each": {"for": {"in": ".n"}, "do": [rest(), mark("turn"), {"keep": {"set": {"n": "${ $item }"}}}]}},
        ],
        marks=("turn",) * 3,
        output={"n": 3},
    ),
    Story(
        "secret",
        [
            rest(),
            call("use", "world-secret", key="${ $secrets.world }"),
        ],
        4,
        marks=("secret",),
        more={"use": {"secrets": ["world"]}},
        output={"digest": "c4bbcb1fbec99d65"},
    ),
    Story("old-version", [rest(), {"say": {"set": {"version": "one"}}}], 5, output={"version": "one"}),
    Story("done", [mark("only")], 8, rests="succeeded", marks=("only",)),
    Story(
        "cancelled",
        [mark("before"), rest()],
        3,
        rests="cancelled",
        ends="cancelled",
        marks=("before",),
        before=(["command", "cancellation"],),
    ),
    Story(
        "hang",
        [call("call", "world-hang"), mark("after")],
        2,
        rests="",
        marks=("after",),
        calls=("hang",),
        phase="hanging",
    ),
    Story(
        "hang-inside",
        [call("call", "world-hang-inside"), mark("after")],
        2,
        rests="",
        marks=("inside", "after"),
        phase="hanging",
    ),
    Story(
        "not-begun",
        [mark("only"), call("tell", "world-call", name="told")],
        10,
        rests="pending",
        marks=("only",),
        calls=("told",),
        phase="stopped",
    ),
)
CHILD_STORY = Story("child", [rest(), mark("child")])
NEW_VERSION = Story("old-version", [{"say": {"set": {"version": "two"}}}])
