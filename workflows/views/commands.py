"""What people may do to a run: for each verb what its form says, what it calls, and what is said afterwards."""

from collections.abc import Callable
from dataclasses import dataclass

from workflows import operations
from workflows.queries import RunDetail


@dataclass(frozen=True)
class Command:
    """A verb with what its form says. `watched`: the answer waits a moment, to say what became of the run.

    `ends`: there is no run afterwards.
    """

    verb: str
    title: str
    explanation: str
    button: str
    permission: str
    operation: Callable[..., object]
    done: str
    icon: str
    css: str = ""
    watched: bool = False
    ends: bool = False

    @property
    def url_name(self) -> str:
        """Return the name of the address of the form."""
        return f"run-{self.verb}"

    @property
    def short(self) -> str:
        """Return the word on the button that leads to the form."""
        return self.verb.capitalize()

    def refusal(self, run: RunDetail) -> str | None:
        """Return why the rules do not allow it now."""
        refusal: str | None = getattr(run, f"can_{self.verb}")
        return refusal


COMMANDS = {
    command.verb: command
    for command in (
        Command(
            "resolve",
            "Mark this run as resolved?",
            "It was settled in another way, and nobody has to look at it any more. It stays failed; nothing is undone.",
            "Mark as resolved",
            "workflows.retry_run",
            operations.resolve,
            "The run is marked as resolved.",
            "check",
        ),
        Command(
            "undo",
            "Undo what this run has done?",
            "Whatever is open ends. Then the finished steps that say how are undone, the last one first.",
            "Undo the run",
            "workflows.undo_run",
            operations.undo,
            "The undo has begun",
            "undo",
            "danger",
            watched=True,
        ),
        Command(
            "suspend",
            "Suspend this run?",
            "Nothing more is begun, in this run and in those that it started, until somebody resumes it. A step that "
            "is running finishes and is recorded; the deadlines of blocks pause.",
            "Suspend the run",
            "workflows.suspend_run",
            operations.suspend,
            "The run is suspended.",
            "pause",
        ),
        Command(
            "cancel",
            "Cancel this run?",
            "Nothing more is begun, and the open runs that it started end as well. What is done stays done; a step "
            "that is running ends without effect on the run.",
            "Cancel the run",
            "workflows.cancel_run",
            operations.cancel,
            "The run is cancelled.",
            "x",
            "danger",
        ),
        Command(
            "erase",
            "Erase this run?",
            "Everything that is stored of it and of the runs that it started is deleted at once, and nothing of it is "
            "written to the archive. The audit trail stays, with the reason: do not name the person whose data it is.",
            "Erase the run",
            "workflows.erase_run",
            operations.erase,
            "The run is erased.",
            "x",
            "danger",
            ends=True,
        ),
        Command(
            "resume",
            "Resume this run?",
            "It goes on where it is, and so do the runs that it started.",
            "Resume the run",
            "workflows.suspend_run",
            operations.resume,
            "Resumed",
            "play",
            "primary",
            watched=True,
        ),
        Command(
            "retry",
            "Retry this run?",
            "It goes on from the step that failed, with the input it had. What is done is not repeated.",
            "Retry",
            "workflows.retry_run",
            operations.retry,
            "Retried",
            "retry",
            "primary",
            watched=True,
        ),
    )
}
