"""The scripted clients: starters, the sender of events and webhooks, the approver, the operators. All are threads."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from tests.chaos.api import Answer, Caller
from tests.chaos.mix import CLIENTS, Start, decision, starts
from tests.chaos.sinks import Sink
from tests.chaos.view import View

DOUBLED_SHARE = 0.3
LOOK_SECONDS = 1.0  # lists are costly
SEND_SECONDS = 0.1
CONFLICT = 409
GONE = 404


@dataclass
class Clients:
    """All clients of one arena. `hold` interrupts the starting, `enough` ends it, and `over` everything."""

    port: int
    keys: list[str]
    sink: Sink
    seed: int
    rate: float
    view: View = field(default_factory=View)
    enough: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    hold: threading.Event = field(default_factory=threading.Event)
    failures: list[BaseException] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)

    def start(self) -> None:
        """Begin."""
        starters: list[Callable[[], None]] = [partial(self._starts, number) for number in range(CLIENTS)]
        for job in (*starters, self._sends, self._answers, self._operates):
            thread = threading.Thread(target=self._guarded, args=[job], daemon=True)
            self.threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End everything and count the answers."""
        self.enough.set()
        self.over.set()
        for thread in self.threads:
            thread.join(30)
        for caller in self.callers:
            self.view.statuses.update(caller.statuses)

    def caller(self, number: int) -> Caller:
        """Return a caller with a key of its own: requests are limited for each key."""
        made = Caller(self.port, self.keys[number % len(self.keys)], self.over)
        self.callers.append(made)
        return made

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - reported by the harness
            self.failures.append(error)

    # --- starting ---------------------------------------------------------------------------------------------------
    def _starts(self, number: int) -> None:
        callers = [self.caller(3 + 3 * number + n) for n in range(3)]
        due = time.monotonic()
        with ThreadPoolExecutor(len(callers)) as pool:
            for start in starts(self.seed, number, self.rate / CLIENTS):
                due += start.pause
                while self.hold.is_set() and not self.enough.is_set():
                    self.enough.wait(0.05)
                if self.enough.wait(max(0.0, due - time.monotonic())):
                    return
                self.view.begun(start)
                list(pool.map(self._start, callers[: start.copies], [start] * start.copies))

    def _start(self, caller: Caller, start: Start) -> None:
        path = f"/api/v1/{start.kind}s/{start.construct}/runs"
        body = {"input": start.input, "title": start.title}
        answer = caller.until_answered("POST", path, body, Idempotency_Key=start.key)
        if answer is None:
            return
        if answer.ok:
            self.view.acknowledged(start, answer.body["id"])
        else:
            self.view.refused(f"start {start.construct}", answer.status, answer.body)

    # --- events and webhooks ------------------------------------------------------------------------------------------
    def _sends(self) -> None:
        caller, draw = self.caller(0), random.Random(f"{self.seed} events")
        orders: list[str] = []
        hooks: dict[str, str] = {}
        called: set[str] = set()
        while not self.over.wait(SEND_SECONDS):
            orders += self.view.take("chaos-order")
            hooks |= {run: address for run, address in self.sink.take_callbacks() if run not in called}
            for run in orders[:]:
                if draw.random() < 0.5 or self.enough.is_set():
                    orders.remove(run)
                    self._send(caller, run, self._copies(draw))
            for run in [run for run in hooks if run in self.view.start_of]:
                called.add(run)
                self._call_back(caller, run, hooks.pop(run), self._copies(draw))

    def _copies(self, draw: random.Random) -> int:
        return 2 if draw.random() < DOUBLED_SHARE else 1

    def _send(self, caller: Caller, run: str, copies: int) -> None:
        word = self.view.start_of[run].input["word"]
        event = {"specversion": "1.0", "id": f"paid-{run}", "source": "/chaos", "type": "chaos.paid", "subject": run}
        for _ in range(copies):
            answer = caller.until_answered("POST", "/api/v1/events", event | {"data": {"word": word}})
            if answer is not None and answer.ok:
                self.view.events[event["id"]] = run
            elif answer is not None:
                self.view.refused("event", answer.status, answer.body)

    def _call_back(self, caller: Caller, run: str, address: str, copies: int) -> None:
        word = self.view.start_of[run].input["word"]
        for _ in range(copies):
            answer = caller.until_answered(
                "POST", urlsplit(address).path, {"word": word}, Idempotency_Key=f"hook-{run}"
            )
            if answer is not None and answer.ok:
                self.view.hooks[run].add(str(answer.body.get("event", answer.body.get("id", ""))))
            elif answer is not None:
                self.view.refused("webhook", answer.status, answer.body)

    # --- people -------------------------------------------------------------------------------------------------------
    def _answers(self) -> None:
        caller = self.caller(1)
        while not self.over.wait(LOOK_SECONDS):
            found = caller.once("GET", "/api/v1/approvals")
            for asked in found.body["items"] if found is not None and found.ok else []:
                said = {"step": asked["step"], "decision": decision(int(asked["title"].removeprefix("w")))}
                answer = caller.until_answered("POST", f"/api/v1/runs/{asked['run']}/answers", said)
                if answer is not None and answer.ok:
                    self.view.answers[asked["run"]].append(said["decision"])
                elif answer is not None and answer.status not in (CONFLICT, GONE):
                    self.view.refused("answer", answer.status, answer.body)

    def _operates(self) -> None:
        caller = self.caller(2)
        seen: set[str] = set()
        while not self.over.wait(LOOK_SECONDS):
            for run in self.view.take("chaos-slow"):
                self._steer(caller, run, self.view.start_of[run].input["then"])
            failed = caller.once("GET", "/api/v1/runs?state=failed&limit=50")
            for row in failed.body["items"] if failed is not None and failed.ok else []:
                self._repair(caller, row, seen)

    def _steer(self, caller: Caller, run: str, wish: str) -> None:
        """Step in while a run rests: what is too late is refused, which is fine."""
        if wish == "suspend":
            self._command(caller, run, "suspension")
            time.sleep(0.1)
            self._command(caller, run, "resumption", insist=True)
        elif wish == "cancel":
            self._command(caller, run, "cancellation")
        elif wish == "fire":
            self._command(caller, run, "firings", step="/do/1/rest")

    def _repair(self, caller: Caller, row: dict[str, str], seen: set[str]) -> None:
        run, wish = row["id"], row["title"]
        if row["reason"] == "poisoned":
            self._command(caller, run, "retries")
        elif row["name"] == "chaos-doomed" and run not in seen:
            seen.add(run)
            if wish == "skip":
                self._command(caller, run, "skips", step="/do/2/never", output={"name": "by hand"})
            elif wish != "leave":
                verb = {"cancel": "cancellation", "undo": "undo", "resolve": "resolution", "retry": "retries"}[wish]
                self._command(caller, run, verb)

    def _command(self, caller: Caller, run: str, verb: str, insist: bool = False, **more: object) -> Answer | None:
        answer = caller.until_answered("POST", f"/api/v1/runs/{run}/{verb}", {"reason": "chaos", **more})
        if answer is not None and answer.ok:
            self.view.commands[run].append(verb)
        elif answer is not None and answer.status not in (CONFLICT, GONE):
            self.view.refused(verb, answer.status, answer.body)
        return answer
