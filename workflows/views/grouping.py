"""Which blocks, loops, tries and forks stand around a step, read from its key, so that its row can stand below them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = re.compile(
    r"/\d+/(?P<name>[^/@\[#]+)(?P<visit>\[\d+\])?(?:@(?P<mark>\w+))?/(?P<kind>try|catch|do|foreach|fork/branches)(?=/)"
)
KINDS = {"try": "try", "catch": "try", "foreach": "listen", "fork/branches": "fork"}


@dataclass(frozen=True, slots=True)
class Group:
    """A task around others; `key` is the same for all iterations of a loop and all attempts of a try."""

    key: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step stands: the groups around it, the outermost first, and how often their loops have begun before."""

    groups: tuple[Group, ...]
    turns: tuple[str, ...]

    @property
    def turn(self) -> str:
        """Return the number of the iteration of the innermost loop, or of the attempt of the innermost try."""
        return self.turns[-1] if self.turns else ""


def place(key: str) -> Place:
    """Return where the step with this key stands."""
    found = list(_blocks(key.partition("#")[0]))
    return Place(tuple(group for group, _ in found), tuple(turn for _, turn in found))


def top(key: str) -> int:
    """Return which of the tasks of the workflow a step belongs to, -1 for one that belongs to the whole of it."""
    found = re.match(r"/do/(\d+)/", key)
    return int(found[1]) if found else -1


def _blocks(key: str) -> Iterator[tuple[Group, str]]:
    for match in _BLOCK.finditer(key):
        mark, block = match["mark"] or "", match["kind"]
        kind = "for" if block == "do" and mark else KINDS.get(block, "do")
        end = match.end("visit") if match["visit"] else match.end("name")
        yield Group(key[:end], match["name"], kind), _turn(mark, kind)


def _turn(mark: str, kind: str) -> str:
    if not mark.isdigit():
        return ""
    if kind == "try":
        return mark if int(mark) > 1 else ""
    return str(int(mark) + 1)
