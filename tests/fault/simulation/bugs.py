"""Guards that can be left out, so that the simulator proves that it would see it; and how often a COMMIT fails."""

ABORTED, ANSWER_LOST = 0.03, 0.06
BUGS = (
    "no-fence",
    "no-revision",
    "effect-outside",
    "racy-wait",
    "racy-start",
    "double-join",
    "no-dedup",
    "id-only",
    "lost-event",
    "undo-twice",
    "undo-forgotten",
    "undo-in-order",
    "undo-unstops",
    "undo-beside-undo",
    "undo-chosen-early",
    "undo-restarts",
    "call-when-left",
    "rest-when-left",
    "child-twice",
    "lost-child-end",
    "orphan",
)
