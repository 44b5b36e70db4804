"""What the workflows of the chaos runs call. The ledger has no unique constraint: it would hide what is done twice."""

import os
from typing import Any

from django.db import connection

from actions import ActionError, Retry, action
from actions.context import Context

LEDGER = """
CREATE TABLE IF NOT EXISTS chaos_ledger (
    id bigserial PRIMARY KEY, run uuid NOT NULL, step text NOT NULL, name text NOT NULL, undo boolean NOT NULL,
    attempt int NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
GRANT SELECT, INSERT ON chaos_ledger TO dotdo;
GRANT USAGE ON SEQUENCE chaos_ledger_id_seq TO dotdo;
"""
OFTEN = Retry(max_attempts=30, backoff="exponential", initial="100ms", max="1s", jitter=0.5)
SINK = "CHAOS_SINK"


@action("chaos-write", retry=OFTEN, undo="chaos-unwrite", output={"name": "string"})
def write(ctx: Context, name: str, fail: int = 0) -> dict[str, Any]:
    """Write one row, then fail the first attempts: what they wrote must be gone."""
    _write(ctx, name, undo=False)
    if ctx.attempt <= fail:
        raise ActionError("not_yet", "it is too early", retryable=True)
    return {"name": name}


@action("chaos-unwrite", retry=OFTEN)
def unwrite(ctx: Context, name: str) -> dict[str, Any]:
    """Write that something was taken back."""
    _write(ctx, name, undo=True)
    return {"name": name}


@action("chaos-call", transactional=False, retry=OFTEN, timeout="1s", undo="chaos-uncall", output={"place": "string"})
def call(ctx: Context, place: str) -> dict[str, Any]:
    """Ask the sink, from Python; where it hangs, the attempt times out."""
    _ask(ctx, place)
    return {"place": place}


@action("chaos-uncall", transactional=False, retry=OFTEN)
def uncall(ctx: Context, place: str) -> dict[str, Any]:
    """Take back at the sink what was asked of it."""
    _ask(ctx, f"undo {place}")
    return {"place": place}


@action("chaos-add", transactional=False, effect="pure", retry=OFTEN, output={"n": "integer"})
def add(ctx: Context, n: int) -> dict[str, Any]:
    """Compute: a worker records such steps of several runs in one commit."""
    return {"n": n + 1}


@action("chaos-refuse", retry=OFTEN)
def refuse(ctx: Context, name: str) -> dict[str, Any]:
    """Write a row, and refuse for good: nothing of it may stay."""
    _write(ctx, name, undo=False)
    raise ActionError("refused", "this never works")


def _write(ctx: Context, name: str, *, undo: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO chaos_ledger (run, step, name, undo, attempt) VALUES (%s, %s, %s, %s, %s)",
            [ctx.run_id, ctx.step_key, name, undo, ctx.attempt],
        )


def _ask(ctx: Context, place: str) -> None:
    headers = {"Idempotency-Key": ctx.idempotency_key, "X-Dotdo-Fence": str(ctx.fence)}
    answer = ctx.http.request("POST", os.environ[SINK], headers=headers, json={"place": place}, timeout=5)
    if answer.status == 409:
        raise ActionError("stale", "the sink has seen a larger fence")
    if answer.status >= 400:
        raise ActionError("sink_down", f"status {answer.status}", retryable=True)
