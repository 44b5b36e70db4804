"""What the graph says of a task in a few words: what it is for in a definition, what came of it in a run."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workflows.graph.outline import Node
from workflows.graph.standing import FAILED, OPEN, SUCCEEDED, Standing
from workflows.language import durations
from workflows.templatetags.display import seconds_text, word

LONGEST, SHORTER = 80, 30
ICONS = {
    "call": "atom",
    "wait": "clock",
    "listen": "ear",
    "emit": "bolt",
    "set": "minus",
    "raise": "alert",
    "run": "flow",
    "fork": "fork",
    "switch": "diamond",
    "for": "loop",
    "try": "shield",
    "do": "layers",
}
CALLED = {"approval": "person", "map": "flow", "wait-until": "clock", "saga.compensate": "undo"}
PLAIN = ("call", "run")  # what most tasks are needs no sign


def sign(node: Node) -> str:
    """Return the icon that says what kind of task it is."""
    return CALLED.get(node.calls.partition(":")[0], ICONS.get(node.kind, "atom"))


def told(node: Node) -> str:
    """Return what a task is for."""
    teller = TELLERS.get(node.kind)
    return _cut(teller(node)) if teller else ""


def came(node: Node, stood: Standing) -> str:
    """Return what came of a task in a run."""
    if not stood.label:
        return ""
    parts = [stood.code if stood.label == FAILED and stood.code else ""]
    if stood.label not in (SUCCEEDED, "undone") and not parts[0]:
        parts.append(_stood(stood.label))
    if stood.times > 1:
        parts.append(ngettext("%(times)d time", "%(times)d times", stood.times) % {"times": stood.times})
    if stood.seconds is not None and node.kind not in ("set", "switch"):
        took = seconds_text(stood.seconds)
        parts.append(_("on average %(took)s") % {"took": took} if stood.times > 1 else took)
    if stood.label == "undone":
        parts.append(_("undone"))
    return " · ".join(filter(None, parts)) or _("done")


def rounds(node: Node, stood: Standing) -> str:
    """Return how far a loop is, or how often a try was tried."""
    if stood.rounds:
        return _("%(done)d of %(all)d") % {"done": stood.rounds[0], "all": stood.rounds[1]}
    if node.kind == "try" and stood.attempts > 1:
        return ngettext("%(n)d attempt", "%(n)d attempts", stood.attempts) % {"n": stood.attempts}
    return _stood(stood.label) if stood.label == FAILED or stood.label in OPEN else ""


def caught(node: Node) -> str:
    """Return which errors a try catches."""
    wanted = node.definition.get("catch", {}).get("errors", {}).get("with", {})
    named = [_short(value) for value in wanted.values() if isinstance(value, str | int)]
    return _cut(_("catch %(errors)s") % {"errors": ", ".join(named)} if named else _("catch"))


def goes(where: str) -> str:
    """Return where a task leads."""
    return {"end": _("ends the workflow"), "exit": _("leaves this block")}.get(where, "") or _("go to %(task)s") % {
        "task": where
    }


def _stood(label: str) -> str:
    return _("failed") if label == FAILED else word(label).lower()


def _of_call(node: Node) -> str:
    arguments = node.definition.get("with")
    if node.calls in ("http", "openapi") and isinstance(arguments, Mapping):
        return f"{arguments.get('method', '')} {_text(arguments.get('endpoint', ''))}".strip()
    if node.calls.startswith("approval") and isinstance(arguments, Mapping):
        return _text(arguments.get("title", node.calls))
    return node.calls


def _of_wait(node: Node) -> str:
    return _("wait %(pause)s") % {"pause": _pause(node.definition["wait"])}


def _of_listen(node: Node) -> str:
    to = node.definition["listen"].get("to", {})
    mode = next((mode for mode in ("one", "any", "all") if mode in to), "one")
    filters = [to[mode]] if mode == "one" else to.get(mode, [])
    types = [str(each.get("with", {}).get("type", _("any event"))) for each in filters]
    joined = {"all": _(" and "), "any": _(" or ")}.get(mode, " ")
    return joined.join(dict.fromkeys(types)) or _("any event")


def _of_emit(node: Node) -> str:
    return str(node.definition["emit"].get("event", {}).get("with", {}).get("type", ""))


def _of_set(node: Node) -> str:
    value = node.definition["set"]
    return ", ".join(value) if isinstance(value, Mapping) else _text(value)


def _of_raise(node: Node) -> str:
    error = node.definition["raise"].get("error", "")
    return _short(str(error.get("title") or error.get("type", ""))) if isinstance(error, Mapping) else _text(error)


def _of_for(node: Node) -> str:
    loop = node.definition["for"]
    return _("for %(each)s in %(all)s") % {
        "each": loop.get("each", "item"),
        "all": _cut(_text(loop.get("in", "")), SHORTER),
    }


def _of_try(node: Node) -> str:
    retry = node.definition.get("catch", {}).get("retry")
    count = retry.get("limit", {}).get("attempt", {}).get("count") if isinstance(retry, Mapping) else None
    if isinstance(count, int):
        return ngettext("up to %(n)d retry", "up to %(n)d retries", count) % {"n": count}
    return _("is retried") if retry else ""


def _of_fork(node: Node) -> str:
    return _("the first one wins") if node.definition["fork"].get("compete") else ""


TELLERS = {
    "call": _of_call,
    "run": lambda node: node.calls or _("run"),
    "wait": _of_wait,
    "listen": _of_listen,
    "emit": _of_emit,
    "set": _of_set,
    "raise": _of_raise,
    "for": _of_for,
    "try": _of_try,
    "fork": _of_fork,
}


def _pause(given: Any) -> str:
    try:
        return _units(durations.parse(given))
    except durations.DurationError:
        return _text(given)


def _units(pause: timedelta) -> str:
    """Return a round duration without its zeros: `3 d`, `12 h`, `15 m`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if pause.total_seconds() >= size and not pause.total_seconds() % size:
            return f"{pause.total_seconds() / size:g} {unit}"
    return seconds_text(pause.total_seconds())


def _text(value: Any) -> str:
    """Return an expression without its wrapping."""
    text = str(value)
    return text.removeprefix("${").removesuffix("}").strip() if text.startswith("${") else text


def _short(value: object) -> str:
    """Return the last part of the type of an error, which is a URI."""
    return str(value).rstrip("/").rpartition("/")[2]


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
