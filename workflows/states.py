"""Every state of runs and steps, and every legal move; a test holds the triggers of the migrations against them."""

RUN_STATES = {
    "pending": "Recorded; nothing has run yet.",
    "running": "A step is due or running.",
    "waiting": "Only timers, events, children, people or back-offs are open.",
    "suspended": "An operator paused it.",
    "failed": "A fault nobody caught; parked with its cursor intact until a person repairs it: the dead letter.",
    "succeeded": "Finished with an output.",
    "cancelled": "Ended by a person before it finished.",
}
RUN_FINAL = ("succeeded", "cancelled")
RUN_MOVES = {
    "pending": ("running", "waiting", "suspended", "failed", "succeeded", "cancelled"),
    "running": ("waiting", "suspended", "failed", "succeeded", "cancelled"),
    "waiting": ("running", "suspended", "failed", "succeeded", "cancelled"),
    "suspended": ("running", "waiting", "failed", "cancelled"),
    "failed": ("running", "waiting", "cancelled"),
    "succeeded": (),
    "cancelled": (),
}

STEP_STATES = {
    "ready": "Due at `due_at`; a worker may claim it from then on.",
    "running": "Leased by a worker.",
    "waiting": "For an event, a child run or a person.",
    "held": "Its run is suspended or parked; outside the due index.",
    "succeeded": "Finished with an output.",
    "failed": "Its last attempt failed for good; its run is parked on it.",
    "cancelled": "Ended because its run or scope ended.",
    "skipped": "Passed over by an operator with an output given by hand.",
}
STEP_FINAL = ("succeeded", "cancelled", "skipped")
STEP_OPEN = ("ready", "running", "waiting", "held", "failed")
STEP_MOVES = {
    "ready": ("running", "held", "cancelled", "skipped"),
    "running": ("ready", "waiting", "held", "succeeded", "failed", "cancelled", "skipped"),
    "waiting": ("ready", "held", "cancelled", "skipped"),
    "held": ("ready", "waiting", "cancelled", "skipped"),
    "failed": ("ready", "cancelled", "skipped"),
    "succeeded": (),
    "cancelled": (),
    "skipped": (),
}
