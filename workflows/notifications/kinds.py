"""What there is to tell people about."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of trouble: what it means, and what to do about it. `threshold`: a rule says how long is too long."""

    meaning: str
    to_do: str
    threshold: bool = False


DEAD_LETTER, UNDO_FAILED, WAITING = "dead_letter", "undo_failed", "waiting_too_long"
QUEUE_AGE, NO_WORKER, OLD_TRANSACTION = "queue_age", "no_worker", "old_transaction"
SCHEDULE_FAILED, CHORE_FAILED, TEST = "schedule_failed", "chore_failed", "test"
OF_FAILED_RUNS = (DEAD_LETTER, UNDO_FAILED)
KINDS = {
    DEAD_LETTER: Kind(
        "A run failed and waits for a person.",
        "Repair the cause, then press Retry on the page of the run: it goes on at the step that failed, and what was "
        "done before is not repeated. Skip passes over a step that was done by hand; Resolve ends the matter.",
    ),
    UNDO_FAILED: Kind(
        "Undoing what a run had done failed.",
        "What was undone stays undone, the rest still stands. Repair the cause and press Retry: it goes on undoing. "
        "Skip passes over a step that was undone by hand.",
    ),
    WAITING: Kind(
        "A run has been waiting for a person or an event, or has been suspended, for too long.",
        "Answer the approval, send the event or skip the step on the page of the run; resume a run that was suspended, "
        "or cancel what is not wanted any more.",
        threshold=True,
    ),
    QUEUE_AGE: Kind(
        "The oldest due step of a queue has not been taken for too long.",
        "Start more workers for this queue (DOTDO_WORKERS, DOTDO_QUEUES), or look for handlers that take long.",
        threshold=True,
    ),
    NO_WORKER: Kind(
        "Due work is not taken: no worker knows the handler, or none serves the queue.",
        "Name the module of the handler in DOTDO_ACTION_MODULES where the workers run, or start a cluster whose "
        "DOTDO_QUEUES names the queue. The runs then go on by themselves.",
        threshold=True,
    ),
    SCHEDULE_FAILED: Kind(
        "A schedule could not start its run.",
        "Look at the page of the workflow: it says why. The schedule goes on with its next moment.",
    ),
    CHORE_FAILED: Kind(
        "A chore of the house failed: it seals the audit trail, or deletes what is kept long enough.",
        "Read the error above and the log of the cluster; the chore is tried again by itself.",
    ),
    OLD_TRANSACTION: Kind(
        "A transaction has been open in the database for too long, and slows everything down.",
        "Look for the session in pg_stat_activity and end it with pg_terminate_backend.",
        threshold=True,
    ),
}
