"""The documentation as data: its fenced blocks, its tables, its words."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
NOTE = re.compile(r"^# (input|output|error|problem|event|answer): (.*)$", re.MULTILINE)
CELLS = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """A fenced block. `words` are what follows the language; `file=` among them names a file to write."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def file(self) -> str:
        """Return the name of the file that the block stands for, if any."""
        return next((word.removeprefix("file=") for word in self.words if word.startswith("file=")), "")

    def note(self, name: str) -> Any:
        """Return what a comment such as `# input: {...}` says, read as JSON; None without one."""
        return next(iter(self.notes(name)), None)

    def notes(self, name: str) -> list[Any]:
        """Return what all comments of this kind say, in order."""
        return [json.loads(text) for kind, text in NOTE.findall(self.text) if kind == name]


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def blocks(*languages: str) -> list[Block]:
    """Return the blocks of all pages in these languages."""
    return [block for page in PAGES for block in _of(page) if block.language in languages]


def table(page: str, first: str) -> dict[str, list[str]]:
    """Return the rows of the table whose header begins with the cell `first`: first cell -> the others, as written."""
    lines = text_of(page).splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("|") and _cells(line)[0] == first)
    rows = {}
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        key, *others = _cells(line)
        rows[key] = others
    return rows


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading."""
    lines = iter(text_of(page).splitlines())
    for line in lines:
        if line.lstrip("#").strip() == heading:
            break
    found = []
    for line in lines:
        if line.startswith("|"):
            found.append(_cells(line))
        elif found:
            break
    return found[2:]


def code(cell: str) -> list[str]:
    """Return the texts in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def _of(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in FENCE.finditer(text):
        language, *words = found["info"].split() or [""]
        yield Block(page, text[: found.start()].count("\n") + 1, language, tuple(words), found["text"])


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in CELLS.split(line.strip())[1:-1]]
