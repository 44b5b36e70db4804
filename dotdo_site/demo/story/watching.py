"""Follow a run over the API, and show its steps while they happen."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dotdo_site.demo.story import screen
from dotdo_site.demo.story.api import Api, Json, Unexpected
from dotdo_site.demo.story.screen import Line, Screen

POLL_SECONDS = 0.25
RESTED = ("succeeded", "failed", "cancelled")
SIGNS = {
    "succeeded": ("✓", screen.GREEN),
    "running": ("▸", screen.BLUE),
    "waiting": ("◷", screen.BLUE),
    "retrying": ("↻", screen.YELLOW),
    "dead_letter": ("✗", screen.RED),
}


@dataclass
class Watch:
    """Follows runs of one workflow, and what the datastore says about a user meanwhile."""

    api: Api
    screen: Screen
    patience: float
    tasks: Sequence[str]
    statuses: list[str] = field(default_factory=list)

    def until_rest(self, run_id: str, user: str) -> Json:
        """Show the run until it has ended or failed, and return it with its `steps`. Raises Unexpected."""
        deadline = time.monotonic() + self.patience
        while True:
            run: Json = self.api.get(f"runs/{run_id}")
            steps: list[Json] = self.api.get(f"runs/{run_id}/steps?limit=200")["items"]
            self._note_entry(user)
            self.screen.show(self._lines(steps, user))
            if run["state"] in RESTED:
                self.screen.leave()
                return {**run, "steps": steps}
            if time.monotonic() > deadline:
                raise Unexpected(
                    f"the run is still {run['status']} after {self.patience:g} s ({run['now'] or 'nothing happens'}): "
                    "does the cluster of `make up` run?"
                )
            time.sleep(POLL_SECONDS)

    def _note_entry(self, user: str) -> None:
        entry = self.api.entry("users", user)
        status = entry["value"].get("status") if entry else None
        if status and status not in self.statuses[-1:]:
            self.statuses.append(status)

    def _lines(self, steps: Sequence[Json], user: str) -> list[Line]:
        by_name = {step["name"]: step for step in steps}
        lines = [_line(name, by_name.get(name)) for name in self.tasks]
        path = " → ".join(self.statuses)
        record = Line(f"  datastore users/{user}: {path}", screen.DIM) if path else Line("", quiet=True)
        return [*lines, record]


def tasks_of(document: Json) -> list[str]:
    """Return the names of the tasks that become steps, in order."""
    return [name for item in document["do"] for name, task in item.items() if {"call", "wait"} & set(task)]


def _line(name: str, step: Json | None) -> Line:
    if step is None or step["kind"] not in ("call", "wait"):
        return Line(f"· {name}", screen.DIM, quiet=True)
    sign, colour = SIGNS.get(step["status"], ("·", ""))
    word = step["status"].replace("_", " ")
    return Line(f"{sign} {name:<22} {word:<11} {_remark(step)}".rstrip(), colour, quiet=word in ("pending", "running"))


def _remark(step: Json) -> str:
    if step["status"] == "waiting" and step["due_at"]:
        return f"until {datetime.fromisoformat(step['due_at']).astimezone():%H:%M:%S}"
    if step["status"] in ("retrying", "dead_letter"):
        return f"attempt {step['attempt']}: {_message(step['error'])}"
    return f"at attempt {step['attempt']}" if step["status"] == "succeeded" and step["attempt"] > 1 else ""


def _message(error: Any) -> str:
    return str(error.get("message") or error.get("code")) if isinstance(error, dict) else "failed"
