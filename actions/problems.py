"""What is wrong with a value or a definition: where, which rule, and in words."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `pointer` is a JSON pointer; the message never contains the value."""

    pointer: str
    rule: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """Return the problem as JSON."""
        return {"pointer": self.pointer, "rule": self.rule, "message": self.message}

    def __str__(self) -> str:
        return f"{self.pointer or '/'} {self.message}"

    def under(self, prefix: str) -> "Problem":
        """Return the same problem seen from a document that holds this value at `prefix`."""
        return Problem(prefix + self.pointer, self.rule, self.message)


def pointer(path: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
