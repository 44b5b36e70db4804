"""The lines that several processes write, side by side on one terminal."""

import os
import sys
from dataclasses import dataclass, field

from dotdo_site.launch.checkout import say
from dotdo_site.lib.logs import one_line

COLOURS = {"dotdo": 1, "web": 36, "cluster": 32, "demo": 35, "postgres": 34, "migrate": 33, "actions": 33, "runs": 35}
NAME_WIDTH = 8
LONGEST_LINE = 65_536


def terminal_has_colours() -> bool:
    """Tell whether coloured text would be welcome on standard output."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


@dataclass
class Output:
    """Splits what processes write into lines and prints each behind its name."""

    coloured: bool = field(default_factory=terminal_has_colours)
    _partial: dict[int, bytes] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Print lines of the supervisor's own."""
        for line in text.splitlines():
            say(self.format("dotdo", line))

    def write(self, name: str, stream: int, data: bytes) -> None:
        """Print the complete lines in what a stream delivered; empty data ends the stream."""
        text = self._partial.pop(stream, b"") + data
        lines = text.split(b"\n")
        if data and len(lines[-1]) < LONGEST_LINE:
            self._partial[stream] = lines.pop()
        for line in lines:
            if line.strip():
                say(self.format(name, line.decode(errors="replace").rstrip()))

    def format(self, name: str, line: str) -> str:
        """Put a name before a line, and take the power over the terminal from what the line contains."""
        prefix = f"{name:<{NAME_WIDTH}}|"
        if self.coloured:
            prefix = f"\033[{COLOURS.get(name, 37)}m{prefix}\033[0m"
        return f"{prefix} {one_line(line.expandtabs(4))}"
