"""What an action promises and how it is tried again, in words."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from actions.retry import Retry
from workflows.templatetags.display import number, seconds_text

EFFECTS = {
    "pure": gettext_lazy("It changes nothing outside: repeating it does no harm."),
    "keyed": gettext_lazy("Repeating it with the same idempotency key does no harm."),
    "unsafe": gettext_lazy("Repeating it may do harm."),
}
CRASHES = {
    "retry": gettext_lazy("It is tried again."),
    "park": gettext_lazy("Its run is parked for a person."),
}
BACKOFFS = {
    "constant": gettext_lazy("always %(initial)s"),
    "linear": gettext_lazy("%(initial)s longer each time, up to %(max)s"),
    "exponential": gettext_lazy("%(initial)s, twice as long each time, up to %(max)s"),
}


def retry(policy: dict[str, Any]) -> str:
    """Return a retry policy as a sentence; one that cannot be read is not guessed."""
    try:
        found = Retry.from_dict(policy)
    except ValueError:
        return ""
    count = found.max_attempts
    parts = [ngettext("%(n)d attempt", "Up to %(n)d attempts", count) % {"n": count}]
    if count > 1:
        waits = BACKOFFS[found.backoff] % {"initial": found.initial, "max": found.max}
        parts.append(_("between them %(waits)s") % {"waits": waits})
        if found.jitter:
            parts.append(_("less up to %(percent)s %% at random") % {"percent": number(found.jitter * 100)})
        if found.non_retryable:
            parts.append(_("none after %(codes)s") % {"codes": ", ".join(found.non_retryable)})
    return "; ".join(parts) + "."


def facts(definition: Any) -> list[tuple[str, str]]:
    """Return (title, words) of what the version of an action promises."""
    timeout = definition.timeout_ms
    found = [
        (_("Kind"), definition.kind),
        (_("Result"), _("It is recorded in the transaction of the call.") if definition.transactional else ""),
        (_("Repeating it"), str(EFFECTS.get(definition.effect, ""))),
        (_("After a crash"), str(CRASHES.get(definition.on_crash, ""))),
        (_("Attempts"), retry(definition.retry)),
        (_("Timeout"), _("%(time)s for each attempt") % {"time": seconds_text(timeout / 1000)} if timeout else ""),
        (_("Queue"), definition.queue),
    ]
    return [(title, words) for title, words in found if words]
