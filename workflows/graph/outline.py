"""A workflow document as blocks: sequences, groups, and columns for what is parallel or alternative.

A switch of the language only names the task where it goes on. Where its ways lie one after the other and meet again,
they become columns (`ways`); otherwise each case says where it leads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workflows.graph import ways
from workflows.language.functions import merged, workflow_key
from workflows.language.kinds import kind_of
from workflows.language.tasks import CONTINUE, END, EXIT

OTHERWISE = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A sequence of tasks."""

    ref: str
    nodes: "tuple[Node, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A column: the branch of a fork, or the case of a switch. `goes` names where it leads if not below."""

    name: str
    when: str = ""
    block: Block
    goes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A task. `calls` is `name:version` of what it is locked to; for `hidden` see `folding`."""

    ref: str
    name: str
    kind: str
    definition: Mapping[str, Any]
    calls: str = ""
    goes: str = ""
    body: Block | None = None
    caught: Block | None = None
    lanes: tuple[Lane, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Source:
    use: Mapping[str, Any]
    lock: Mapping[str, Any]
    namespace: str


def read(document: Mapping[str, Any], lock: Mapping[str, Any]) -> Block:
    """Return the blocks of a valid document."""
    about = document.get("document", {})
    source = _Source(document.get("use", {}), lock, about.get("namespace", ""))
    return _block(document["do"], "/do", source)


def _block(items: Sequence[Mapping[str, Any]], ref: str, source: _Source) -> Block:
    nodes = [_node(item, f"{ref}/{index}", source) for index, item in enumerate(items)]
    return Block(ref, _arranged(nodes, 0, len(nodes)))


def _node(item: Mapping[str, Any], place: str, source: _Source) -> Node:
    ((name, given),) = item.items()
    definition = merged(given, source.use).task if "call" in given else given
    node = Node(
        ref=f"{place}/{name}",
        name=name,
        kind=kind_of(definition) or "",
        definition=definition,
        calls=_calls(given, source),
        goes=definition.get("then", CONTINUE),
    )
    return replace(node, **_inside(node, source))


def _calls(given: Mapping[str, Any], source: _Source) -> str:
    if "call" in given:
        text = merged(given, source.use).text
        return str(source.lock.get(text, text))
    child = given.get("run", {}).get("workflow")
    if child is None:
        return ""
    return f"{child['name']}:{source.lock.get(workflow_key(child, source.namespace), child.get('version', ''))}"


def _inside(node: Node, source: _Source) -> dict[str, Any]:
    definition, ref = node.definition, node.ref
    if node.kind in ("do", "for"):
        return {"body": _block(definition["do"], f"{ref}/do", source)}
    if node.kind == "try":
        caught = definition.get("catch", {}).get("do")
        return {
            "body": _block(definition["try"], f"{ref}/try", source),
            "caught": _block(caught, f"{ref}/catch/do", source) if caught else None,
        }
    if node.kind == "listen":
        done = definition.get("foreach", {}).get("do")
        return {"body": _block(done, f"{ref}/foreach/do", source)} if done else {}
    return {"lanes": tuple(_branches(node, source))} if node.kind == "fork" else {}


def _branches(node: Node, source: _Source) -> list[Lane]:
    ref = f"{node.ref}/fork/branches"
    tasks = [_node(item, f"{ref}/{index}", source) for index, item in enumerate(node.definition["fork"]["branches"])]
    return [Lane(name=task.name, block=_branch(task, f"{ref}/{index}")) for index, task in enumerate(tasks)]


def _branch(task: Node, ref: str) -> Block:
    """Return what is in a column: a plain sequence needs no frame of its own there."""
    plain = task.kind == "do" and task.body is not None and not {"if", "timeout", "then"} & set(task.definition)
    return task.body if plain and task.body else Block(ref, (task,))


def _arranged(nodes: Sequence[Node], start: int, stop: int, behind: int | None = None) -> tuple[Node, ...]:
    """Return the nodes from `start` to `stop`, the ways of a switch as its columns; `behind` is what follows them."""
    found, index = [], start
    flow = [tuple(stop if to == behind else to for to in each) for each in _flow(nodes)]
    while index < stop:
        node = nodes[index]
        if node.kind != "switch":
            found.append(replace(node, goes=_leads(nodes, index, index + 1)))
            index += 1
            continue
        meet = ways.meet(flow, index, stop)
        join = behind if meet == stop and behind is not None else meet
        found.append(replace(node, goes=CONTINUE, lanes=_cases(nodes, index, meet, join, flow[index])))
        index = max(meet, index + 1)
    return tuple(found)


def _leads(nodes: Sequence[Node], index: int, behind: int) -> str:
    """Return where a task leads if that is not the task behind it."""
    goes = nodes[index].goes
    if goes in (CONTINUE, END, EXIT):
        return goes
    return CONTINUE if behind < len(nodes) and nodes[behind].name == goes else goes


def _flow(nodes: Sequence[Node]) -> list[tuple[int, ...]]:
    """Return for each task the places where it may lead: of the list, its length for behind it, -1 for elsewhere."""
    places = {node.name: index for index, node in enumerate(nodes)}
    return [
        tuple(_place(then, index, places) for then in ([goes for _, _, goes in _ways(node)] or [node.goes]))
        for index, node in enumerate(nodes)
    ]


def _place(then: str, index: int, places: Mapping[str, int]) -> int:
    return index + 1 if then == CONTINUE else ways.OUT if then in (END, EXIT) else places.get(then, ways.OUT)


def _ways(node: Node) -> list[tuple[str, str, str]]:
    """Return (name, condition, directive) of each case of a switch, with the one for when none holds."""
    if node.kind != "switch":
        return []
    found = []
    for item in node.definition["switch"]:
        ((name, case),) = item.items()
        found.append((name, str(case.get("when", "")), case.get("then", CONTINUE)))
    if all(when for _, when, _ in found):
        found.append((OTHERWISE, "", node.goes))
    return found


def _cases(nodes: Sequence[Node], index: int, meet: int, join: int, flow: Sequence[int]) -> tuple[Lane, ...]:
    """Return the columns of a switch; without a place to meet (`meet` is its own) they only say where they lead.

    `join` is the task where they meet, which is not at `meet` when that is the end of a column itself.
    """
    begins = sorted({at for at in flow if index < at < meet})
    lanes, drawn = [], set()
    for (name, when, goes), at in zip(_ways(nodes[index]), flow, strict=True):
        inside = at in begins and at not in drawn
        end = next((other for other in begins if other > at), meet)
        block = Block(f"{nodes[index].ref}#{at}", _lane(nodes, at, end, join) if inside else ())
        drawn.add(at)
        leads = "" if inside or at == max(meet, index + 1) or goes == CONTINUE else goes
        lanes.append(Lane(name=name, when=when, block=block, goes=leads))
    return tuple(lanes)


def _lane(nodes: Sequence[Node], start: int, end: int, join: int) -> tuple[Node, ...]:
    """Return the tasks of one column; that its last one leads to where all meet goes without saying."""
    drawn = _arranged(nodes, start, end, join)
    last, behind = drawn[-1], nodes[join].name if join < len(nodes) else ""
    return (*drawn[:-1], replace(last, goes=CONTINUE)) if last.goes == behind else drawn
