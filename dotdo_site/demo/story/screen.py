"""What the reader sees: sentences, and a block of lines that is redrawn while things happen.

Where the output is no terminal, the block becomes plain lines: each is printed when it changes.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

from dotdo_site.lib.logs import one_line

BOLD, DIM, RED, GREEN, YELLOW, BLUE = "1", "2", "31", "32", "33", "36"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a block; `quiet` ones only show on a terminal."""

    text: str
    colour: str = ""
    quiet: bool = False


@dataclass
class Screen:
    """Writes to a terminal, or to a pipe or file."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    _shown: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.live = self.out.isatty() and os.environ.get("TERM") != "dumb"
        self.coloured = self.live and "NO_COLOR" not in os.environ

    def say(self, text: str = "", colour: str = "") -> None:
        """Print a line below everything else."""
        print(self._painted(text, colour), file=self.out, flush=True)

    def heading(self, text: str) -> None:
        """Begin a scene."""
        self._shown = []
        self.say()
        self.say(text, BOLD)

    def show(self, lines: Sequence[Line]) -> None:
        """Draw the block anew; on a terminal in place."""
        if self.live:
            self._redraw(lines)
        else:
            for line in lines:
                if not line.quiet and line not in self._shown:
                    self.say(f"  {line.text}")
        self._shown = list(lines)

    def leave(self) -> None:
        """Let the block stand as it is; what follows comes below. Plain lines are not said twice in a scene."""
        if self.live:
            self._shown = []

    def _redraw(self, lines: Sequence[Line]) -> None:
        width = shutil.get_terminal_size().columns - 1
        up = f"\033[{len(self._shown)}A" if self._shown else ""
        drawn = [f"\r\033[K{self._painted(f'  {line.text}'[:width], line.colour)}\n" for line in lines]
        self.out.write(up + "".join(drawn) + "\033[J")
        self.out.flush()

    def _painted(self, text: str, colour: str) -> str:
        clean = one_line(text)
        return f"\033[{colour}m{clean}\033[0m" if self.coloured and colour else clean
