"""What a run page shows, as it stands in the address: view, step, attempt, filters; and the addresses that keep it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

VIEWS = ("timeline", "graph", "events", "io", "logs", "related")
FORMER = {"audit": "events", "path": "graph"}  # what the addresses of former pages lead to
# The keys in the order in which they stand in an address. `list` is the query string of the list that led here.
KEYS = ("view", "step", "attempt", "diff", "fold", "rows", "open", "shows", "level", "of", "after", "before", "list")
OF_A_VIEW = {"shows": "graph", "level": "logs", "of": "logs", "after": "", "before": ""}
LEVELS = ("debug", "info", "warning", "error")
LONGEST = 1_000
MOST_OPENED = 50


@dataclass(frozen=True)
class Address:
    """The part of an address that a run page understands; what it does not is left out."""

    values: Mapping[str, str]
    opened: tuple[str, ...] = ()

    @classmethod
    def read(cls, query: QueryDict) -> "Address":
        """Read it from a request."""
        given = {key: query.get(key, "").replace("\x00", "")[:LONGEST] for key in KEYS if key != "open"}
        view = FORMER.get(given["view"], given["view"])
        given["view"] = view if view in VIEWS[1:] else ""
        if given["level"] not in LEVELS:
            given["level"] = ""
        opened = [each[:LONGEST] for each in query.getlist("open")[:MOST_OPENED]]
        return cls({key: value for key, value in given.items() if value}, tuple(dict.fromkeys(opened)))

    @property
    def view(self) -> str:
        """Return the chosen view."""
        return self.values.get("view", "timeline")

    def get(self, key: str) -> str:
        """Return a value, empty when it is not there."""
        return self.values.get(key, "")

    def to(self, **changes: str) -> str:
        """Return the query string with some values changed, those that are empty left out."""
        changed = {**self.values, **changes}
        return self._text({key: changed[key] for key in KEYS if changed.get(key)}, self.opened)

    def at(self, view: str) -> str:
        """Return the query string of a view: the step is kept, what belongs to another view is not."""
        keep = {key: value for key, value in self.values.items() if key not in OF_A_VIEW}
        keep["view"] = "" if view == "timeline" else view
        return self._text({key: keep[key] for key in KEYS if keep.get(key)}, self.opened)

    def step(self, step: object = "") -> str:
        """Return the query string of another step and its last attempt; without one it ends where the id belongs."""
        kept = {key: self.values[key] for key in KEYS if key in self.values and key not in ("attempt", "diff")}
        return self._text({**kept, "step": str(step)}, self.opened, last="step")

    def toggled(self, key: str) -> str:
        """Return the query string with a loop opened, or closed if it is open."""
        opened = tuple(each for each in self.opened if each != key) if key in self.opened else (*self.opened, key)
        return self._text(dict(self.values), opened)

    @property
    def query(self) -> list[tuple[str, str]]:
        """Return everything, for the address of a poller."""
        return [*self.values.items(), *(("open", each) for each in self.opened)]

    @staticmethod
    def _text(values: Mapping[str, Any], opened: tuple[str, ...], last: str = "") -> str:
        pairs = [(key, value) for key, value in values.items() if key != last]
        pairs += [("open", each) for each in opened]
        return "?" + urlencode([*pairs, *([(last, values[last])] if last else [])])
