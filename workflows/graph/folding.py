"""What of a large graph is drawn: problems, what is going on and what was chosen; the rest can be opened.

A fold is a node of the kind `fold`; `hidden` has the pointers of the tasks in it, its `ref` opens it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from workflows.graph.outline import Block, Lane, Node
from workflows.graph.standing import FAILED, OPEN, Standings, blocks_of, walk

FOLD = "fold"
MOST_LANES, SHOWN_LANES = 4, 3
MOST_NODES = 300
ENDS = 5


@dataclass(frozen=True, slots=True)
class Interest:
    """Which tasks are drawn in any case, and which folds were opened."""

    refs: frozenset[str]
    opened: Collection[str]

    def within(self, node: Node) -> bool:
        """Tell whether anything in a task, or the task, is of interest."""
        return node.ref in self.refs or any(each.ref in self.refs for block in blocks_of(node) for each in walk(block))


def folded(block: Block, standings: Standings | None, chosen: str, opened: Collection[str]) -> Block:
    """Return the blocks as they are drawn; `chosen` is the pointer of the task that the reader looks at."""
    urgent = standings.tasks if standings else {}
    refs = {ref for ref, each in urgent.items() if each.label == FAILED or each.label in OPEN}
    size = sum(1 for _ in walk(block))
    return _Folder(Interest(frozenset({*refs, chosen}), opened), large=size > MOST_NODES).block(block)


@dataclass(frozen=True, slots=True)
class _Folder:
    interest: Interest
    large: bool

    def block(self, block: Block) -> Block:
        nodes = [self.node(node) for node in block.nodes]
        return Block(block.ref, self.stretches(nodes) if self.large else tuple(nodes))

    def node(self, node: Node) -> Node:
        opened = node.ref in self.interest.opened
        if self.large and node.kind != "switch" and blocks_of(node) and not opened and not self.interest.within(node):
            inside = tuple(each.ref for block in blocks_of(node) for each in walk(block))
            fold = Block(node.ref, (Node(ref=node.ref, name="", kind=FOLD, definition={}, hidden=inside),))
            return replace(node, body=fold, caught=None, lanes=())
        return replace(
            node,
            body=self.block(node.body) if node.body else None,
            caught=self.block(node.caught) if node.caught else None,
            lanes=self.lanes(node, opened=opened),
        )

    def lanes(self, node: Node, *, opened: bool) -> tuple[Lane, ...]:
        lanes = [replace(lane, block=self.block(lane.block)) for lane in node.lanes]
        if len(lanes) <= MOST_LANES or opened:
            return tuple(lanes)
        urgent = [any(self.interest.within(each) for each in lane.block.nodes) for lane in node.lanes]
        shown = {index for index, found in enumerate(urgent) if found}
        shown |= set(range(max(SHOWN_LANES - len(shown), 0)))
        kept = sorted(shown)[: MOST_LANES + 1]
        rest = [lane for index, lane in enumerate(node.lanes) if index not in kept]
        hidden = tuple(each.ref for lane in rest for each in walk(lane.block)) or (node.ref,)
        fold = Node(ref=node.ref, name="", kind=FOLD, definition={"lanes": len(rest)}, hidden=hidden)
        return (*(lanes[index] for index in kept), Lane(name="", block=Block(node.ref, (fold,))))

    def stretches(self, nodes: Sequence[Node]) -> tuple[Node, ...]:
        """Fold what is of no interest between the first and the last tasks of a sequence."""
        drawn: list[Node] = []
        stretch: list[Node] = []
        for index, node in enumerate(nodes):
            if ENDS <= index < len(nodes) - ENDS and not self.interest.within(node):
                stretch.append(node)
                continue
            drawn += [*self._fold(stretch), node]
            stretch = []
        return tuple(drawn)

    def _fold(self, stretch: Sequence[Node]) -> Sequence[Node]:
        if len(stretch) <= ENDS or stretch[0].ref + FOLD in self.interest.opened:
            return stretch
        hidden = tuple(each.ref for node in stretch for each in walk(Block("", (node,))) if each.kind != FOLD)
        return [Node(ref=stretch[0].ref + FOLD, name="", kind=FOLD, definition={}, hidden=hidden)]
