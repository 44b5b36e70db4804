"""What the benchmarks execute: nothing, so that only the engine is measured."""

import time
from typing import Any

from actions import action
from actions.context import Context
from bench.marks import mark


@action("bench-noop", transactional=False, effect="pure")
def noop(ctx: Context, n: int = 0) -> dict[str, Any]:
    """Do nothing, outside a transaction."""
    mark()
    return {"n": n}


@action("bench-noop-outside", transactional=False, effect="keyed")
def noop_outside(ctx: Context, n: int = 0) -> dict[str, Any]:
    """Do nothing, but as something with an effect outside: each step has a commit of its own."""
    mark()
    return {"n": n}


@action("bench-noop-transactional")
def noop_transactional(ctx: Context, n: int = 0) -> dict[str, Any]:
    """Do nothing, inside the transaction that records it."""
    mark()
    return {"n": n}


@action("bench-nap", transactional=False, effect="pure")
def nap(ctx: Context, seconds: float = 0.2) -> None:
    """Take a while, as a call to the outside does."""
    time.sleep(seconds)
