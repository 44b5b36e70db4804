"""Play cases, many runs at once in the same processes, and look at what is left of them."""

import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import connection

from tests.fault.failpoints import actions
from tests.fault.failpoints.apps import FOLDER
from tests.fault.failpoints.cases import EFFECTS, Case
from tests.fault.failpoints.sink import Sink
from tests.support.soundness import assert_sound
from workflows import operations
from workflows.models import Attempt, Entry, Run, Step

PATIENCE = 120.0
WHY: dict[str, Any] = {"actor": "user:ada", "reason": "it was a planned fault"}
DECLARED = ("quarantined", "dead_letter")  # where an exception of the engine's own leaves a run, until a person retries
DEATHS = ("kill", "stop")
LEASED_ALREADY = ("recorded", "committed")  # the step behind may be held by the dead worker, or not


class Matrix:
    """Runs of cases in processes that others keep."""

    def __init__(self, folder: Path, sink: Sink) -> None:
        self.folder, self.sink = folder, sink
        self.runs: dict[uuid.UUID, Case] = {}
        self.parked: dict[uuid.UUID, str] = {}
        self.thawed: set[uuid.UUID] = set()

    def environment(self, **more: str) -> dict[str, str]:
        """Return what a process needs to have the points in it."""
        return {
            "DOTDO_APPS": "tests.fault.failpoints",
            "DOTDO_ACTION_MODULES": actions.__name__,
            FOLDER: str(self.folder),
            actions.SINK: str(self.sink.server_address[1]),
            **more,
        }

    def arm(self, points: Iterable[str], action: str) -> list[Path]:
        """Arm points that belong to no run; the file of one that has fired is gone."""
        files = [self.folder / f"{point}:{action}" for point in points]
        for file in files:
            file.touch()
        return files

    def play(self, cases: Sequence[Case]) -> list[str]:
        """Start a run for each case, do what people do, and return what is wrong when all have ended."""
        for case in cases:
            self.runs[self._start(case)] = case
        until = time.monotonic() + PATIENCE
        while (left := self._left()) and time.monotonic() < until:
            self._help(left)
            time.sleep(0.1)
        return [f"{self.runs[run].arm}: {why}" for run in self.runs for why in self._wrong(run)] + self._miscounted()

    def _start(self, case: Case) -> uuid.UUID:
        return operations.start_workflow(
            "matrix", {"arm": case.arm}, actor="user:test", trigger="test", key=case.arm
        ).run_id

    def _left(self) -> list[Run]:
        return list(Run.objects.filter(pk__in=self.runs).exclude(state="succeeded"))

    def _help(self, left: Sequence[Run]) -> None:
        for run in left:
            if run.state == "failed":
                self.parked[run.pk] = run.reason
                with suppress(operations.NotAllowed):
                    operations.retry(run.pk, **WHY)
            if run.state == "waiting" and run.reason == "event":
                event = {"specversion": "1.0", "id": str(run.pk), "source": "/t", "type": "paid"}
                for _ in range(2):
                    operations.deliver_event(event, actor="x", via="api", run_id=run.pk)
            self._thaw(run.pk)

    def _thaw(self, run: uuid.UUID) -> None:
        """Let a frozen process go on as soon as somebody else has its step."""
        note = self.folder / str(run)
        if self.runs[run].action != "stop" or run in self.thawed or not note.exists():
            return
        pid, step, claim = (note.read_text() or "0 0 0").split()
        row = Step.objects.filter(pk=step).first() if pid != "0" else None
        if row is not None and (row.state != "running" or row.claim > int(claim)):
            self.thawed.add(run)
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGCONT)

    def _miscounted(self) -> list[str]:
        """A death counts at most two: the step that was held, and the one that was claimed ahead, of whatever run."""
        found = Attempt.objects.filter(step__run__in=self.runs, outcome="crashed").count()
        deaths = sum(case.action in DEATHS for case in self.runs.values())
        return [f"{found} crashes were counted for {deaths} deaths"] if found > 2 * deaths else []

    def _wrong(self, run: uuid.UUID) -> list[str]:
        case, row = self.runs[run], Run.objects.get(pk=run)
        if row.state != "succeeded":
            return [f"the run is {row.state} ({row.reason})"]
        wrong = [] if (self.folder / str(run)).exists() else ["it never came to this point"]
        found = _effects(run)
        wrong += [f"transactional effects {dict(found)}"] if found != EFFECTS else []
        sent = [count for key, count in self.sink.count.items() if key.startswith(str(run))]
        wrong += [f"sent {sent}"] if len(sent) != 2 or max(sent) > 2 or (sum(sent) > 2 and not _repeats(case)) else []
        wrong += [f"parked as {self.parked[run]}"] if self.parked.get(run, DECLARED[0]) not in DECLARED else []
        wrong += [f"parked by {case.action}"] if run in self.parked and case.action != "raise" else []
        wrong += _crashes(run, case)
        try:
            assert_sound(run)
        except AssertionError as error:
            wrong.append(str(error))
        return wrong


def _repeats(case: Case) -> bool:
    """Tell whether a request may be sent twice: before the fault and not recorded, or by one that was frozen."""
    point, _, step = case.place.partition("@")
    sent = ("after", "statement", "written", *(("before",) if case.action == "stop" else ()))
    return step in ("charge", "right") and point in sent


def _crashes(run: uuid.UUID, case: Case) -> list[str]:
    """A death or a freeze counts a crash of the step that was held, unless the step had been recorded already."""
    found = Attempt.objects.filter(step__run=run, outcome="crashed").count()
    after = case.place.partition("@")[0] in (*LEASED_ALREADY, "written")
    return ["no crash was counted"] if case.action in DEATHS and not after and found == 0 else []


def _effects(run: uuid.UUID) -> Counter[str]:
    keys = Entry.objects.filter(namespace="ledger", key__startswith=f"{run}/").values_list("key", flat=True)
    return Counter(key.split("/")[1] for key in keys)


def doubled() -> int:
    """Return how many effects of any run happened twice."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM (SELECT regexp_replace(key, '/[^/]+$', '') FROM entry "
                       "WHERE namespace = 'ledger' GROUP BY 1 HAVING count(*) > 1) x")  # fmt: skip
        return int(cursor.fetchone()[0])
