"""The live frames of a branch, kept as plain JSON (`Branch.cursor`), and what a change of them brings with it.

A branch is one line of execution, so its live frames are a stack:

- a list frame `{"list": ref, "key": prefix, "i": index, "top": highest index entered, "visits": {...}, "raw": value}`
  stands before its task number `i`, whose raw input is `raw`; `end` is where the list ends if not behind its last task;
- a task frame `{"task": ref, "key": key, "in": transformed input, "at": time}` is inside a task. With `"out"` the body
  is finished and its output waits to be transformed (`"then"` overrides the task's directive); without it, it rests or
  holds the frames above it. `rest` is the key under which it rests when that is not `key`; `timers` are those it armed.
  Blocks keep their state beside it: for `items n cur`, try `block attempt first error`, listen `got n met pins busy`.

The cursor of a fork's branch also has `branch` (where it begins and ends) and `vars` (variables from around the fork).
"""

import re
from typing import Any

from workflows.engine.messages import ArmTimer
from workflows.language.program import TaskList

Frame = dict[str, Any]
ATTEMPT = re.compile(r"@\d+/try/")
# What a frame holds of the user's data; the rest is the engine's own.
DATA_CELLS = frozenset({"raw", "in", "out", "items", "cur", "error", "got", "seen", "busy", "pins", "arguments"})


class Frames:
    """The stack of one cursor. Frames are copied on the way in, so the cursor itself never changes."""

    def __init__(self, cursor: dict[str, Any]) -> None:
        self.stack: list[Frame] = [dict(frame) for frame in cursor.get("frames", ())]
        self.base: dict[str, Any] = {name: cursor[name] for name in ("branch", "vars") if name in cursor}
        self.armed: list[ArmTimer] = []
        self.dropped: list[str] = []
        self.cut: list[str] = []
        self.timer: str = cursor.get("timer", "")

    @property
    def top(self) -> Frame:
        """Return the frame that is worked on."""
        return self.stack[-1]

    @property
    def branch(self) -> dict[str, Any] | None:
        """Return where the branch of a fork begins; None for the run's own branch."""
        return self.base.get("branch")

    def cursor(self, steps: int) -> dict[str, Any]:
        """Return the stack as the next cursor."""
        found: dict[str, Any] = {"frames": self.stack, "steps": steps, **self.base}
        if self.timer:
            found["timer"] = self.timer
        return found

    def resting(self, key: str) -> Frame | None:
        """Return the top frame if it rests under this key."""
        frame = self.stack[-1] if self.stack else {}
        waits = "task" in frame and "out" not in frame and frame.get("rest", frame["key"]) == key
        return frame if waits else None

    def arm(self, frame: Frame, timer: ArmTimer) -> None:
        """Start a timer that belongs to a frame."""
        self.armed.append(timer)
        frame["timers"] = [*frame.get("timers", []), timer.key]

    def drop(self, frame: Frame, key: str) -> None:
        """End a timer: one that was armed in this very advance never existed."""
        frame["timers"] = [other for other in frame["timers"] if other != key]
        self._forget(key)

    def pop(self) -> Frame:
        """Take the top frame away, its task finished."""
        frame = self.stack.pop()
        self._end_timers(frame)
        return frame

    def cut_to(self, size: int) -> list[Frame]:
        """Take all frames above the first `size` away, unfinished; return them. What they rested in is cancelled."""
        gone = self.stack[size:]
        del self.stack[size:]
        for frame in gone:
            self._end_timers(frame)
            if "task" in frame and "out" not in frame:
                self.cut.append(str(frame.get("rest", frame["key"])))
        return gone

    def end_all_timers(self) -> None:
        """End the timer of the whole workflow."""
        if self.timer:
            self._forget(self.timer)
            self.timer = ""

    def _end_timers(self, frame: Frame) -> None:
        for key in frame.get("timers", ()):
            self._forget(key)

    def _forget(self, key: str) -> None:
        kept = [timer for timer in self.armed if timer.key != key]
        if len(kept) == len(self.armed):
            self.dropped.append(key)
        self.armed = kept


def open_timers(cursor: dict[str, Any]) -> list[str]:
    """Return the keys of the timers that the frames of a cursor have armed."""
    return [key for frame in cursor.get("frames", ()) for key in frame.get("timers", ())]


def list_frame(tasks: TaskList, key: str, raw: Any) -> Frame:
    """Return a frame that stands before the first task of a list."""
    return {"list": tasks.ref, "key": key, "i": 0, "top": -1, "raw": raw}


def place(key: str) -> str:
    """Return the key without the attempts of the tries around it: the same effect, whichever attempt it is."""
    return ATTEMPT.sub("/try/", key) if "@" in key else key
