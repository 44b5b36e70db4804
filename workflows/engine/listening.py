"""`listen`: events come one at a time, are taken or passed over, and each may have a body of tasks (§1.11).

What the listen has so far is in its frame: `got` (what it will give out), `met` (filters of an `all` that have had
their event; `until_met` those of its `until` strategy), `pins` (correlation values, R30), `busy` (the event whose body
runs) and `seen` (consumed items, where `until` looks at them and a body changes what is given out).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workflows.engine import events
from workflows.engine.data import frame_variables
from workflows.engine.frames import Frame, list_frame
from workflows.engine.messages import Command, Listening
from workflows.engine.messages import Listen as ListenCommand
from workflows.engine.scope import Scope
from workflows.language.program import EventFilter, Foreach, Listen, Strategy

if TYPE_CHECKING:
    from workflows.engine.machine import Machine

Event = dict[str, Any]


def open_listen(machine: "Machine", task: Listen, frame: Frame, scope: Mapping[str, Any]) -> Command:
    """Begin to listen. Expected correlation values are evaluated now, once."""
    pins = {}
    for index, wanted in enumerate(_filters(task.to)):
        for name, rule in wanted.correlate.items():
            if rule.expect is not None:
                pins[f"{index}.{name}"] = machine.data.resolve(rule.expect, frame["in"], scope, task.ref)
    known = {id(wanted): _expected(index, wanted, pins) for index, wanted in enumerate(_filters(task.to))}
    filters = events.summary(task.to, lambda wanted: known[id(wanted)])
    frame |= {"got": [], "n": 0, "met": [], "until_met": [], "pins": pins}
    return ListenCommand(frame["key"], task.ref, task.name, filters)


def receive(machine: "Machine", task: Listen, frame: Frame, event: Event) -> Command | None:
    """Take an event or pass it over. Raises Fault with the frame as it was."""
    strategy, met = task.to, list(frame["met"])
    pins, taken = dict(frame["pins"]), False
    if isinstance(strategy.until, Strategy):
        ended = list(frame["until_met"])
        offset = len(strategy.filters)
        if _accepts(machine, task, frame, strategy.until, offset, ended, pins, event) and _complete(
            strategy.until, ended
        ):
            frame["out"] = frame["got"]
            return None
        taken = ended != frame["until_met"]
        frame["until_met"] = ended
    if not _accepts(machine, task, frame, strategy, 0, met, pins, event):
        return _listening(frame, task, taken=taken)
    item = events.read(event, task.read)
    state = {**frame, "met": met, "pins": pins, "busy": item}
    if task.foreach and task.foreach.tasks is not None:
        frame |= state
        machine.trace.append(f"{frame['key']} took {event.get('type')}")
        key = f"{frame['key']}@{frame['n']}/foreach/do"
        machine.frames.stack.append(list_frame(task.foreach.tasks, key, item))
        return None
    command = _collect(machine, task, frame, state, item)
    machine.trace.append(f"{frame['key']} took {event.get('type')}")
    return command


def after_body(machine: "Machine", task: Listen, frame: Frame, output: Any) -> Command | None:
    """The body of an event is through."""
    body = machine.frames.stack.pop()
    try:
        command = _collect(machine, task, frame, dict(frame), output)
    except Exception:
        machine.frames.stack.append(body)
        raise
    if "out" in frame:
        machine.frames.cut.append(str(frame["key"]))  # it hears no more
    return command


def _collect(machine: "Machine", task: Listen, frame: Frame, state: Frame, output: Any) -> Command | None:
    """Add what an event gives out, and end the listen if that was all."""
    scope = machine.data.body_scope(task, state, None, frame_variables(task, state))
    context = machine.data.context
    if task.foreach:
        output, context = _transformed(machine, task, task.foreach, state, output)
    got = [*state["got"], output]
    seen = [*state.get("seen", []), state["busy"]] if task.foreach and isinstance(task.to.until, str) else None
    ends = _ends(machine, task, got if seen is None else seen, state["met"], scope)
    frame |= {"got": got, "n": state["n"] + 1, "met": state["met"], "pins": state["pins"]}
    frame.pop("busy", None)
    if seen is not None:
        frame["seen"] = seen
    machine.data.context = context
    if not ends:
        return _listening(frame, task, taken=True)
    frame["out"] = got
    return None


def _transformed(machine: "Machine", task: Listen, foreach: Foreach, state: Frame, output: Any) -> tuple[Any, Any]:
    data, more = machine.data, frame_variables(task, state)
    scope = Scope(data, task, state["key"], None, state["in"], output, state["at"], more=more)
    result = data.transform(foreach.output_as, output, scope, task.ref)
    data.check(foreach.output_schema, result, "output", task.ref)
    if foreach.export_as is None:
        return result, data.context
    after = Scope(data, task, state["key"], None, state["in"], result, state["at"], more=more)
    exported = data.resolve(foreach.export_as, result, after, task.ref)
    data.check(foreach.export_schema, exported, "export", task.ref)
    return result, exported


def _ends(machine: "Machine", task: Listen, consumed: list[Any], met: list[int], scope: Scope) -> bool:
    """Tell whether the listen has all it wants after this event (R29)."""
    strategy = task.to
    if isinstance(strategy.until, str):
        return machine.data.truthy(strategy.until, consumed, scope, task.ref)
    return strategy.until is None and _complete(strategy, met)


def _complete(strategy: Strategy, met: list[int]) -> bool:
    return strategy.mode != "all" or len(met) == len(strategy.filters)


def _accepts(
    machine: "Machine",
    task: Listen,
    frame: Frame,
    strategy: Strategy,
    offset: int,
    met: list[int],
    pins: dict[str, Any],
    event: Event,
) -> bool:
    """Tell whether a filter takes the event; `met` and `pins` then say so. An `all` wants each filter once."""
    if not strategy.filters:
        return True
    scope = machine.data.body_scope(task, frame, None)

    def evaluate(text: str, dot: Any) -> Any:
        return machine.data.evaluate(text, dot, scope, task.ref)

    for index, wanted in enumerate(strategy.filters):
        if strategy.mode == "all" and index in met:
            continue
        if not events.matches(wanted, event, evaluate):
            continue
        found = _correlated(wanted, offset + index, pins, event, evaluate)
        if found is not None:
            pins |= found
            if strategy.mode == "all":  # the others end with one event, or by `until`
                met.append(index)
            return True
    return False


def _correlated(
    wanted: EventFilter, index: int, pins: Mapping[str, Any], event: Event, evaluate: events.Evaluate
) -> dict[str, Any] | None:
    """Return the values that this event pins, or None when one differs from what is pinned or expected (R30)."""
    found = {}
    for name, rule in wanted.correlate.items():
        value = evaluate(rule.from_, event)
        pin = f"{index}.{name}" if rule.expect is not None else name
        if pin in pins and pins[pin] != value:
            return None
        if pin not in pins:
            if value is None:
                return None
            found[pin] = value
    return found


def _expected(index: int, wanted: EventFilter, pins: Mapping[str, Any]) -> dict[str, Any]:
    """Return jq text -> value when all correlations of a filter are known beforehand."""
    values = {rule.from_: pins.get(f"{index}.{name}") for name, rule in wanted.correlate.items()}
    known = all(f"{index}.{name}" in pins for name in wanted.correlate)
    return values if known else {}


def _filters(strategy: Strategy) -> list[EventFilter]:
    inner = strategy.until.filters if isinstance(strategy.until, Strategy) else ()
    return [*strategy.filters, *inner]


def _listening(frame: Frame, task: Listen, *, taken: bool) -> Listening:
    return Listening(frame["key"], task.ref, task.name, taken)
