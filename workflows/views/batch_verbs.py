"""What people may do to many runs at once: for each verb what its form says, and who may."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from workflows.templatetags.display import number
from workflows.views.permissions import may

Text = str | Promise


@dataclass(frozen=True)
class Verb:
    """A verb in words. `retries`: what became of the runs is told afterwards."""

    verb: str
    short: Text
    question: Callable[[int], str]
    explanation: Text
    button: Callable[[int], str]
    started: Callable[[int], str]
    permission: str
    icon: str
    css: str = ""
    retries: bool = False


def offered(request: HttpRequest) -> list[Verb]:
    """Return the verbs that the reader may use."""
    if not may(request, "workflows.change_batch"):
        return []
    return [verb for verb in VERBS.values() if may(request, verb.permission)]


def _counted(one: str, many: str) -> Callable[[int], str]:
    return lambda count: ngettext(one, many, count) % {"count": number(count)}


VERBS = {
    verb.verb: verb
    for verb in (
        Verb(
            "retry",
            _("Retry from failure"),
            _counted("Retry %(count)s run?", "Retry %(count)s runs?"),
            _(
                "They go on from the step that failed, with the input they had; what is done is not repeated. "
                "Runs that are no longer failed are skipped."
            ),
            _counted("Retry %(count)s run", "Retry %(count)s runs"),
            _counted("%(count)s run will be retried", "%(count)s runs will be retried"),
            "workflows.retry_run",
            "retry",
            "primary",
            retries=True,
        ),
        Verb(
            "resolve",
            _("Resolve"),
            _counted("Mark %(count)s run as resolved?", "Mark %(count)s runs as resolved?"),
            _(
                "They were settled in another way, and nobody has to look at them any more. They stay failed; nothing "
                "is undone. Runs that are not failed are skipped."
            ),
            _counted("Resolve %(count)s run", "Resolve %(count)s runs"),
            _counted("%(count)s run will be marked as resolved", "%(count)s runs will be marked as resolved"),
            "workflows.retry_run",
            "check",
        ),
        Verb(
            "suspend",
            _("Suspend"),
            _counted("Suspend %(count)s run?", "Suspend %(count)s runs?"),
            _(
                "Nothing more is begun in them and in the runs that they started, until somebody resumes them. A step "
                "that is running finishes. Runs that are over are skipped."
            ),
            _counted("Suspend %(count)s run", "Suspend %(count)s runs"),
            _counted("%(count)s run will be suspended", "%(count)s runs will be suspended"),
            "workflows.suspend_run",
            "pause",
        ),
        Verb(
            "resume",
            _("Resume"),
            _counted("Resume %(count)s run?", "Resume %(count)s runs?"),
            _(
                "They go on where they are, and so do the runs that they started. Runs that are not suspended are "
                "skipped."
            ),
            _counted("Resume %(count)s run", "Resume %(count)s runs"),
            _counted("%(count)s run will be resumed", "%(count)s runs will be resumed"),
            "workflows.suspend_run",
            "play",
            retries=True,
        ),
        Verb(
            "cancel",
            _("Cancel"),
            _counted("Cancel %(count)s run?", "Cancel %(count)s runs?"),
            _(
                "Nothing more is begun in them, and the open runs that they started end as well. What is done stays "
                "done. Runs that are over are skipped."
            ),
            _counted("Cancel %(count)s run", "Cancel %(count)s runs"),
            _counted("%(count)s run will be cancelled", "%(count)s runs will be cancelled"),
            "workflows.cancel_run",
            "x",
            "danger",
        ),
    )
}
