"""What people may do to a run: for each verb what its form says, what it calls, and what is said afterwards."""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from workflows import operations
from workflows.queries import RunFacts


@dataclass(frozen=True)
class Command:
    """A verb with what its form says. `watched`: the answer waits a moment, to say what became of the run.

    `ends`: there is no run afterwards.
    """

    verb: str
    title: str | Promise
    explanation: str | Promise
    button: str | Promise
    permission: str
    operation: Callable[..., object]
    done: str | Promise
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

    def refusal(self, run: RunFacts) -> str | None:
        """Return why the rules do not allow it now."""
        refusal: str | None = getattr(run, f"can_{self.verb}")
        return refusal


COMMANDS = {
    command.verb: command
    for command in (
        Command(
            "resolve",
            _("Mark this run as resolved?"),
            _(
                "It was settled in another way, and nobody has to look at it any more. "
                "It stays failed; nothing is undone."
            ),
            _("Mark as resolved"),
            "workflows.retry_run",
            operations.resolve,
            _("The run is marked as resolved."),
            "check",
        ),
        Command(
            "undo",
            _("Undo what this run has done?"),
            _("Whatever is open ends. Then the finished steps that say how are undone, the last one first."),
            _("Undo the run"),
            "workflows.undo_run",
            operations.undo,
            _("The undo has begun"),
            "undo",
            "danger",
            watched=True,
        ),
        Command(
            "suspend",
            _("Suspend this run?"),
            _(
                "Nothing more is begun, in this run and in those that it started, until somebody resumes it. A step "
                "that is running finishes and is recorded; the deadlines of blocks pause."
            ),
            _("Suspend the run"),
            "workflows.suspend_run",
            operations.suspend,
            _("The run is suspended."),
            "pause",
        ),
        Command(
            "cancel",
            _("Cancel this run?"),
            _(
                "Nothing more is begun, and the open runs that it started end as well. What is done stays done; a step "
                "that is running ends without effect on the run."
            ),
            _("Cancel the run"),
            "workflows.cancel_run",
            operations.cancel,
            _("The run is cancelled."),
            "x",
            "danger",
        ),
        Command(
            "erase",
            _("Erase this run?"),
            _(
                "Everything that is stored of it and of the runs that it started is deleted at once, and nothing of it "
                "is written to the archive. The audit trail stays, with the reason: do not name the person whose data "
                "it is."
            ),
            _("Erase the run"),
            "workflows.erase_run",
            operations.erase,
            _("The run is erased."),
            "x",
            "danger",
            ends=True,
        ),
        Command(
            "resume",
            _("Resume this run?"),
            _("It goes on where it is, and so do the runs that it started."),
            _("Resume the run"),
            "workflows.suspend_run",
            operations.resume,
            _("Resumed"),
            "play",
            "primary",
            watched=True,
        ),
        Command(
            "retry",
            _("Retry this run?"),
            _("It goes on from the step that failed, with the input it had. What is done is not repeated."),
            _("Retry"),
            "workflows.retry_run",
            operations.retry,
            _("Retried"),
            "retry",
            "primary",
            watched=True,
        ),
    )
}
