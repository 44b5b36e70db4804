"""The shapes that grow: one run with very many items, and when each of its items ended."""

from dataclasses import dataclass
from uuid import UUID

from bench import harness

HEAD = "document: {{dsl: 1.0.3, namespace: bench, name: {name}, version: 1.0.0}}\n"
LOOP = """
do:
  - each:
      for: {in: "${ [range(.items)] }"}
      do:
        - step: {call: bench-noop, with: {n: "${ $index }"}}
"""
CHILD = "do: [{step: {call: bench-noop, with: {n: 1}, output: {as: .n}}}]"
MAP = """
do:
  - all: {call: map, with: {items: "${ [range(.items)] }", workflow: {name: bench-child}, maxConcurrency: 100}}
"""


@dataclass(frozen=True)
class Shape:
    """A workflow, how many items its run has, and the query that gives the ends of its items in seconds."""

    title: str
    name: str
    text: str
    items: int
    ends: str


def _fork(branches: int, call: str) -> str:
    lines = "\n".join(f"        - b{number}: {call}" for number in range(branches))
    return f"do:\n  - all:\n      fork:\n        branches:\n{lines}\n"


_STEPS = "SELECT finished_at FROM step WHERE run_id = %s AND kind = 'call' AND name <> 'all' ORDER BY finished_at"
_CHILDREN = "SELECT finished_at FROM run WHERE root = %s AND depth = 1 ORDER BY finished_at"
SHAPES = {
    "loop": Shape("loop, an action each", "bench-loop", LOOP, 10_000, _STEPS),
    "fork": Shape("fork, an action each", "bench-fork", _fork(1_000, "{call: bench-noop}"), 1_000, _STEPS),
    "map": Shape("map, a child run each", "bench-map", MAP, 10_000, _CHILDREN),
    "wide": Shape("fork of naps", "bench-wide", _fork(100, "{call: bench-nap}"), 100, _STEPS),
}
WAITING = Shape("a wait", "bench-wait", "do: [{pause: {wait: {hours: 1}}}]", 1, _STEPS)


def publish(shape: Shape) -> None:
    """Publish the workflow of a shape, and the child that a map starts."""
    from workflows import operations

    for name, text in (("bench-child", CHILD), (shape.name, shape.text)):
        draft = operations.draft_workflow(HEAD.format(name=name) + text, actor="system")
        if draft.state == "draft":
            operations.publish_workflow(draft.id, actor="system")


def start(shape: Shape) -> UUID:
    """Start a run of a shape and return its id."""
    from workflows import operations

    return operations.start_workflow(shape.name, {"items": shape.items}, actor="system", trigger="bench").run_id


def run(shape: Shape) -> list[float]:
    """Run a shape to its end; return when each of its items ended, in seconds since the run began."""
    from django.db import connection

    publish(shape)
    run_id = start(shape)
    harness.until(f"SELECT state NOT IN ('pending', 'running', 'waiting') FROM run WHERE id = '{run_id}'", 1_200)
    with connection.cursor() as cursor:
        cursor.execute("SELECT state, error, coalesce(started_at, created_at) FROM run WHERE id = %s", [run_id])
        state, error, began = cursor.fetchone()
        if state != "succeeded":
            raise RuntimeError(f"the run of {shape.name} is {state}: {error}")
        cursor.execute(shape.ends, [run_id])
        return [(at - began).total_seconds() for (at,) in cursor.fetchall()]
