"""The parts of `make bench`: each is a process of its own with a limit; what it answered is kept until all are done.

So a part that fails or hangs costs only itself, and a bench that was interrupted goes on where it was.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import harness

LIMIT_SECONDS = 240
END_SECONDS = 15
YOUNG_SECONDS = 24 * 3600
FAILED = "not_measured"


@dataclass(frozen=True)
class Part:
    """One process: its last line is its answer, as JSON, unless it prints."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    limit_seconds: float = LIMIT_SECONDS
    prints: bool = False  # lines for people; it ends with 1 when what it found is not good enough


class Store:
    """Answers of finished parts, below one folder; those of other code or another day are forgotten."""

    def __init__(self, folder: Path, head: Mapping[str, object], *, fresh: bool) -> None:
        self.folder = folder
        if fresh or not self._goes_on(head):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            self.put("head", dict(head) | {"at": time.time()})

    def get(self, name: str) -> dict[str, Any] | None:
        """Return what a part answered, or None when it has not run or failed."""
        try:
            answer: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text())
        except FileNotFoundError:
            return None
        return answer

    def put(self, name: str, answer: Mapping[str, object]) -> None:
        """Keep an answer, whole or not at all."""
        fresh = self.folder / f".{name}"
        fresh.write_text(json.dumps(answer))
        fresh.replace(self.folder / f"{name}.json")

    def clear(self) -> None:
        """Forget everything: the bench is over."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _goes_on(self, head: Mapping[str, object]) -> bool:
        kept = self.get("head")
        return bool(kept and kept | dict(head) == kept and time.time() - kept["at"] < YOUNG_SECONDS)


def run(part: Part, log: Path) -> dict[str, Any]:
    """Run a part; return its answer, or why there is none."""
    log.parent.mkdir(parents=True, exist_ok=True)
    said = log.with_suffix(".out")  # no pipe: what a part leaves running would hold it open
    with log.open("w") as words, said.open("w") as answer:
        process = subprocess.Popen(
            part.command,
            env=dict(part.environment),
            cwd=harness.ROOT,
            stdout=answer,
            stderr=words,
            start_new_session=True,
        )
        try:
            process.wait(part.limit_seconds)
        except subprocess.TimeoutExpired:
            return {FAILED: f"it took more than {part.limit_seconds:.0f} s"}
        finally:
            _end(process)
    return _answer(part, process.returncode, said.read_text(errors="replace"), log)


def _answer(part: Part, code: int, text: str, log: Path) -> dict[str, Any]:
    if part.prints and code in (0, 1) and text.strip():
        return {"good": code == 0, "text": text.strip()}
    if code == 0:
        with suppress(IndexError, ValueError):
            answer: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
            return answer
    said = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return {FAILED: f"it ended with {code}: {said[-1][:300] if said else 'it said nothing'}"}


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Stop everything that the part has started, in order and then without."""
    end = time.monotonic() + END_SECONDS
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
            while time.monotonic() < end:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(0.1)
    process.wait()
