"""What happened to a run, in words: which step failed, what was done before it, and what a retry would do."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from workflows.templatetags.display import seconds_text

EFFECTS = {
    "pure": gettext_lazy("changes nothing outside"),
    "keyed": gettext_lazy("repeating it with the same key is safe"),
    "unsafe": gettext_lazy("repeating it may do harm"),
}


@dataclass(frozen=True)
class Explanation:
    """A headline, the sentences below it, and the step that it is about."""

    title: str
    text: str
    step: Any = None


def subject(run: Any) -> Any:
    """Return the step that an explanation would be about, None when there is nothing to explain or no such step."""
    if run.label == "retrying":
        return next((step for step in run.steps if step.state == "ready" and step.failures), None)
    if run.label == "blocked":
        return next((step for step in run.steps if step.kind == "call" and step.state == "ready"), None)
    return failed_step(run) if run.state == "failed" and run.label != "resolved" else None


def failed_step(run: Any) -> Any:
    """Return the last step that failed for good."""
    return next((step for step in reversed(run.steps) if step.state == "failed" and not step.caught), None)


def explain(run: Any, step: Any) -> Explanation | None:
    """Explain a run that a person should look at; `step` is its `subject` with its data; nothing for other runs."""
    if run.label == "retrying":
        return Explanation(run.now, _retrying(step), step) if step else None
    if run.label == "blocked":
        return _blocked(run, step)
    if run.state != "failed" or run.label == "resolved":
        return None
    if run.label == "undone":
        text = _("Nothing of it is left, so there is nothing to retry: start it again if need be.")
        return Explanation(run.now, text)
    sentences = _undo_failed(step) if run.label == "undo_failed" else _failed(run, step)
    return Explanation(run.now, " ".join(sentences), step)


def attempts(step: Any) -> str:
    """Return how often a step was tried."""
    return ngettext("Tried once", "Tried %(count)s times", step.attempt) % {"count": step.attempt}


def policy(step: Any) -> str:
    """Return the retry and timeout policy of a step in words, empty when it has none."""
    parts = [*_retry_words(step.policy.get("retry") or {})]
    if timeout := step.policy.get("timeout_ms"):
        parts.append(_("%(took)s for each attempt") % {"took": seconds_text(timeout / 1000)})
    if effect := step.policy.get("effect"):
        parts.append(str(EFFECTS.get(effect, effect)))
    return "; ".join(parts)


def deadline(step: Any) -> str:
    """Return what happens when a deadline passes, empty for a step that is none."""
    if step.kind != "timer":
        return ""
    told = {"step": step.name}
    if step.key.endswith("#attempt"):
        return (
            _("An attempt of %(step)s that is not done by then ends with a timeout; its policy says what follows.")
            % told
        )
    if step.ref == "/timeout":
        return _("A run that is not done by then is parked as timed out; no task catches that.")
    return (
        _(
            "If %(step)s is not done by then it ends with a timeout, which a try around it may catch; when none does, "
            "the run is parked."
        )
        % told
    )


def _retry_words(retry: dict[str, Any]) -> list[str]:
    """Return how often and how soon; what a policy leaves out is not guessed."""
    words = []
    if attempts := retry.get("max_attempts"):
        words.append(ngettext("%(count)s attempt", "%(count)s attempts", attempts) % {"count": attempts})
    if retry.get("initial") and attempts != 1:
        told = {"kind": retry.get("backoff", ""), "first": retry["initial"], "last": retry.get("max", "?")}
        words.append((_("%(kind)s back-off from %(first)s to %(last)s") % told).strip())
    if codes := retry.get("non_retryable"):
        words.append(_("not on %(codes)s") % {"codes": ", ".join(map(str, codes))})
    return words


def _failed(run: Any, step: Any) -> list[str]:
    if step is None:
        return [_("The workflow itself stopped here; no step failed."), _done(run.steps_done)]
    error = step.error or {}
    sentences = [f"{attempts(step)}."]
    if error.get("code") == "child_failed":
        sentences.append(_("A run that it started failed; the retry goes on there."))
    elif not error.get("retryable", True):
        sentences.append(_("Its error says that trying again as it is would not help."))
    else:
        sentences.append(_("The attempts that its policy allows are used up."))
    return [*sentences, _done(run.steps_done), _("Nothing after it has begun.")]


def _undo_failed(step: Any) -> list[str]:
    """Say what a person has to know about an undo that stopped."""
    tried = [f"{attempts(step)}."] if step else []
    return [
        *tried,
        _("What was undone before it stays undone; the rest still stands."),
        _("Retry goes on undoing from here; a step that was undone by hand can be skipped."),
    ]


def _done(count: int) -> str:
    if not count:
        return _("Nothing before it was done.")
    return ngettext(
        "The one step before it is done and will not be repeated.",
        "The %(count)s steps before it are done and will not be repeated.",
        count,
    ) % {"count": count}


def _blocked(run: Any, step: Any) -> Explanation:
    told = {"function": step.function if step and step.function else run.name}
    text = _(
        "Name the Python module that defines %(function)s in DOTDO_ACTION_MODULES, where the workers run, and restart "
        "them. The run then goes on by itself; nothing is lost meanwhile."
    )
    return Explanation(_("No running worker has the code of %(function)s") % told, text % told, step)


def _retrying(step: Any) -> str:
    error = step.error or {}
    told = {"tried": attempts(step), "reason": error.get("message") or _("the last attempt failed")}
    return _("%(tried)s; the last time: %(reason)s. Nothing for you to do yet.") % told
