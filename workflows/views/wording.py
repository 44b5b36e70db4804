"""What happened to a run, in words: which step failed, what was done before it, and what a retry would do."""

from dataclasses import dataclass
from typing import Any

from workflows.templatetags.display import seconds_text


@dataclass(frozen=True)
class Explanation:
    """A headline, the sentences below it, and the step that it is about."""

    title: str
    text: str
    step: Any = None


def explain(run: Any) -> Explanation | None:
    """Explain a run that a person should look at; nothing for the others."""
    step = next((step for step in reversed(run.steps) if step.state == "failed" and not step.caught), None)
    if run.label == "retrying":
        waiting = next((step for step in run.steps if step.state == "ready" and step.failures), None)
        return Explanation(run.now, _retrying(waiting), waiting) if waiting else None
    if run.label == "blocked":
        return _blocked(run)
    if run.state != "failed" or run.label == "resolved":
        return None
    if run.label == "undone":
        return Explanation(run.now, "Nothing of it is left, so there is nothing to retry: start it again if need be.")
    sentences = _undo_failed(step) if run.label == "undo_failed" else _failed(run, step)
    return Explanation(run.now, " ".join(sentences), step)


def attempts(step: Any) -> str:
    """Return how often a step was tried."""
    return "Tried once" if step.attempt == 1 else f"Tried {step.attempt} times"


def policy(step: Any) -> str:
    """Return the retry and timeout policy of a step in words, empty when it has none."""
    parts = [*_retry_words(step.policy.get("retry") or {})]
    if timeout := step.policy.get("timeout_ms"):
        parts.append(f"{seconds_text(timeout / 1000)} for each attempt")
    if effect := step.policy.get("effect"):
        parts.append(EFFECTS.get(effect, str(effect)))
    return "; ".join(parts)


def deadline(step: Any) -> str:
    """Return what happens when a deadline passes, empty for a step that is none."""
    if step.kind != "timer":
        return ""
    if step.key.endswith("#attempt"):
        return f"An attempt of {step.name} that is not done by then ends with a timeout; its policy says what follows."
    if step.ref == "/timeout":
        return "A run that is not done by then is parked as timed out; no task catches that."
    return (
        f"If {step.name} is not done by then it ends with a timeout, which a try around it may catch; "
        "when none does, the run is parked."
    )


EFFECTS = {
    "pure": "changes nothing outside",
    "keyed": "repeating it with the same key is safe",
    "unsafe": "repeating it may do harm",
}


def _retry_words(retry: dict[str, Any]) -> list[str]:
    """Return how often and how soon; what a policy leaves out is not guessed."""
    words = []
    if attempts := retry.get("max_attempts"):
        words.append("1 attempt" if attempts == 1 else f"{attempts} attempts")
    if retry.get("initial") and attempts != 1:
        words.append(f"{retry.get('backoff', '')} back-off from {retry['initial']} to {retry.get('max', '?')}".strip())
    if codes := retry.get("non_retryable"):
        words.append(f"not on {', '.join(map(str, codes))}")
    return words


def _failed(run: Any, step: Any) -> list[str]:
    done = sum(1 for each in run.steps if each.state in {"succeeded", "skipped"})
    if step is None:
        return ["The workflow itself stopped here; no step failed.", _done(done)]
    error = step.error or {}
    sentences = [f"{attempts(step)}."]
    if error.get("code") == "child_failed":
        sentences.append("A run that it started failed; the retry goes on there.")
    elif not error.get("retryable", True):
        sentences.append("Its error says that trying again as it is would not help.")
    else:
        sentences.append("The attempts that its policy allows are used up.")
    return [*sentences, _done(done), "Nothing after it has begun."]


def _undo_failed(step: Any) -> list[str]:
    """Say what a person has to know about an undo that stopped."""
    tried = [f"{attempts(step)}."] if step else []
    return [
        *tried,
        "What was undone before it stays undone; the rest still stands.",
        "Retry goes on undoing from here; a step that was undone by hand can be skipped.",
    ]


def _done(count: int) -> str:
    if not count:
        return "Nothing before it was done."
    before = "The one step before it is" if count == 1 else f"The {count} steps before it are"
    return f"{before} done and will not be repeated."


def _blocked(run: Any) -> Explanation:
    step = next((step for step in run.steps if step.kind == "call" and step.state == "ready"), None)
    wanted = step.function if step and step.function else run.name
    text = (
        f"Name the Python module that defines {wanted} in DOTDO_ACTION_MODULES, where the workers run, and restart "
        "them. The run then goes on by itself; nothing is lost meanwhile."
    )
    return Explanation(f"No running worker has the code of {wanted}", text, step)


def _retrying(step: Any) -> str:
    error = step.error or {}
    reason = error.get("message") or "the last attempt failed"
    return f"{attempts(step)}; the last time: {reason}. Nothing for you to do yet."
