"""What may happen to runs, one rule each, in any order; after each rule everything that must be true is looked at."""

import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar

from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.fault.stateful import handlers, world
from tests.fault.stateful.model import ALLOWED, NEEDED, Model, broken_leases, moved_back
from tests.fault.stateful.programs import STARTED_BY_PEOPLE
from tests.fault.stateful.workers import POINTS, Fate, Person, Token, drive, lose_host, pass_time, renew
from tests.fault.stateful.world import RunRow
from tests.support.soundness import assert_sound
from workflows import approvals, claim, operations, scheduling
from workflows.models import Schedule, Step
from workflows.operations import NotAllowed
from workflows.states import RUN_FINAL

WHY: dict[str, Any] = {"actor": "user:ada", "reason": "a test"}
ANN = approvals.Person("ann", superuser=True)
WORKERS, ROUNDS, GIVE_UP = 3, 40, 15
INDEX = st.integers(0, 7)
MEANWHILE = ("nothing", "event", "claimed", "taken over", "cancelled", "suspended")
Trouble = tuple[str, int, str, int]
FATE = st.tuples(
    st.sampled_from(["", "", "", *POINTS]), st.integers(1, 2), st.sampled_from(MEANWHILE), st.sampled_from([0, 0, 1, 2])
)


class Runs(RuleBasedStateMachine):
    """Workers, operators, senders of events, two schedulers; `empty` makes the database what it was."""

    empty: ClassVar[Callable[[], None]]

    @initialize(program=st.sampled_from(STARTED_BY_PEOPLE))
    def begin(self, program: str) -> None:
        type(self).empty()
        handlers.forget()
        self.model, self.tokens, self.moments = Model(), list[Token](), list[Any]()
        self.workers = [Person() for _ in range(WORKERS)]
        self.before = self.now = world.read()
        self.start(program)

    # --- people and programs outside ----------------------------------------------------------------------------------
    @rule(program=st.sampled_from(STARTED_BY_PEOPLE))
    def start(self, program: str) -> None:
        """Start a run under a key: the same key is the same run."""
        known = self.model.keys.get(program)
        before = world.fingerprint() if known else {}
        started = operations.start_workflow(program, {}, actor="user:test", trigger="test", key=program)
        assert started.run_id == (known or started.run_id), "one key has made two runs"
        assert started.created == (known is None)
        assert not known or world.fingerprint() == before, "the repetition of a start changed something"
        self.model.keys[program] = started.run_id

    @rule(run=INDEX, kind=st.sampled_from(["paid", "sent"]), number=st.integers(0, 1), to_all=st.booleans())
    def event(self, run: int, kind: str, number: int, to_all: bool) -> None:
        """Deliver an event, to one run or to whoever listens; what came before changes nothing."""
        target = self._run(run).id
        name = f"{kind}-{number}" + ("" if to_all else f"-{target}")
        event = {"specversion": "1.0", "id": name, "source": "/t", "type": kind, "data": number}
        before = world.fingerprint() if name in self.model.events else {}
        delivered = operations.deliver_event(event | ({} if to_all else {"subject": str(target)}), actor="x", via="api")
        assert delivered.created == (name not in self.model.events)
        assert not before or world.fingerprint() == before, "an event that came before changed something"
        self.model.events.add(name)
        if delivered.created and not to_all and self._run(run).state not in RUN_FINAL:
            assert world.in_mailbox(delivered.event_id, target), "an event that was acknowledged is not in the mailbox"

    @rule(run=INDEX, verb=st.sampled_from([*ALLOWED, *NEEDED]))
    def command(self, run: int, verb: str) -> None:
        """Let a person do something with a run; what is refused changes nothing."""
        row = self._run(run)
        before = world.fingerprint()
        try:
            getattr(operations, verb)(row.id, **WHY)
        except NotAllowed:
            assert row.state not in ALLOWED.get(verb, ()), f"{verb} of a run that is {row.state} was refused"
            assert world.fingerprint() == before, f"{verb} was refused and changed something"
        else:
            assert not self.model.refuses(verb, row.state), f"{verb} of a run that is {row.state} was not refused"

    @rule(run=INDEX, index=INDEX)
    def skip(self, run: int, index: int) -> None:
        """Pass a step over."""
        row = self._run(run)
        idle = self.now.idle(row.id)
        if not idle:
            return
        step = Step.objects.get(pk=idle[index % len(idle)].id)
        try:
            operations.skip(row.id, step.key, {}, **WHY)
        except (NotAllowed, operations.AnswerInvalid):
            return
        self.model.skipped.add((row.id, step.name))

    @rule(decision=st.sampled_from(approvals.DECISIONS))
    def answer(self, decision: str) -> None:
        """Answer the oldest approval that waits, twice: the first answer counts."""
        for step in Step.objects.filter(function=approvals.FUNCTION, state="waiting").order_by("id")[:1]:
            operations.answer_approval(step.run_id, step.key, decision, None, person=ANN, actor="user:ann")
            before = world.fingerprint()
            try:
                operations.answer_approval(step.run_id, step.key, "rejected", None, person=ANN, actor="user:ann")
            except NotAllowed:
                assert world.fingerprint() == before
            else:
                raise AssertionError("one approval was answered twice")

    @rule(fate=st.sampled_from(handlers.FATES))
    def refuse(self, fate: str) -> None:
        """Let the next delivery outside fail."""
        handlers.fates[:] = [fate]

    # --- schedulers ---------------------------------------------------------------------------------------------------
    @rule(minutes=st.integers(1, 50))
    def schedule(self, minutes: int) -> None:
        """Let a moment of the schedule come; two schedulers look."""
        moment = timezone.now() - timedelta(minutes=minutes)
        Schedule.objects.update(next_at=moment)
        self.moments.append(moment)
        scheduling.fire_due()
        scheduling.fire_due()
        self.model.fires.add(moment)

    @precondition(lambda self: self.moments)
    @rule(index=INDEX)
    def second_scheduler(self, index: int) -> None:
        """Let a scheduler look that still believes a moment to be due which another one has started for."""
        Schedule.objects.update(next_at=self.moments[index % len(self.moments)])
        scheduling.fire_due()

    # --- workers ------------------------------------------------------------------------------------------------------
    @rule(index=st.integers(0, WORKERS - 1))
    def claim(self, index: int) -> None:
        """Let a worker claim the step that has been due longest, and then be slow."""
        self._claim(self.workers[index])

    @rule(index=st.integers(0, WORKERS - 1), on=st.booleans(), what=FATE)
    def go(self, index: int, on: bool, what: Trouble) -> None:
        """Let a worker claim a step and execute it at once."""
        token = self._claim(self.workers[index])
        if token is not None:
            self.now = world.read()
            self._work(token, on, what)

    @precondition(lambda self: self.tokens)
    @rule(back=INDEX, on=st.booleans(), what=FATE)
    def work(self, back: int, on: bool, what: Trouble) -> None:
        """Let a worker execute what it claimed some time ago, whether it still holds it or not."""
        self._work(self._token(back), on, what)

    @precondition(lambda self: self.tokens)
    @rule(back=INDEX)
    def late(self, back: int) -> None:
        """Let a lease run out, and another worker claim the step; the first one is alive."""
        step = self._token(back).claimed.step
        lose_host()
        claim.reap()
        pass_time(step)
        for _ in self.now.steps:
            self.now = world.read()
            token = self._claim(Person())
            if token is None or token.claimed.step == step:
                return

    def _claim(self, worker: Person) -> Token | None:
        claimed = worker.claim()
        if claimed is None:
            return None
        row, before = world.read().steps[claimed.step], self.now.steps[claimed.step]
        assert (row.state, row.claim, row.leased_by) == ("running", claimed.claim, worker.id)
        assert before.claim < row.claim, "two claims have one token"
        assert before.state == "ready", f"a step that was {before.state} was claimed"
        self.tokens.append(Token(worker, claimed))
        return self.tokens[-1]

    def _work(self, token: Token, on: bool, what: Trouble) -> None:
        """Execute; who died, or was late, before the first checkpoint has changed nothing at all."""
        point, passage, meanwhile, wait = what
        step, current = self.now.steps[token.claimed.step], self._stands(token)
        allowed, between = self.model.may_commit(step, self.now, on=on), Between(self, meanwhile, token)
        fate = Fate(point, passage, between, wait)
        before = world.fingerprint()
        drive(token, fate, on=on)
        now = world.read()
        if between.happened and wait == 0:
            current, before = between.current, between.after
        if not current or (fate.crashed and not fate.kept and passage == 1 and not between.happened):
            assert world.fingerprint() == before, f"{step.name} changed something: current {current}, {fate}"
        elif not fate.crashed:
            row = now.steps[step.id]
            assert (row.state, row.claim) != ("running", token.claimed.claim), f"{step.name} was left running"
        self.model.commit(now, allowed | between.allowed)
        if fate.crashed:
            self._replace(token.worker)

    @precondition(lambda self: self.tokens)
    @rule(back=INDEX)
    def heartbeat(self, back: int) -> None:
        """Renew a lease: possible exactly while the claim stands."""
        token = self._token(back)
        assert renew(token) == self._stands(token), "a lease was renewed that is not ours, or ours was not"

    @rule(index=st.integers(0, WORKERS - 1))
    def bury(self, index: int) -> None:
        """Let a worker die; the watchdog frees its steps at once."""
        claim.bury(self.workers[index].id, "killed")
        self._replace(self.workers[index])

    @rule()
    def lose_host(self) -> None:
        """Let all leases run out; the workers may still be alive, and late."""
        lose_host()
        claim.reap()

    @rule(index=st.integers(0, WORKERS - 1))
    def release(self, index: int) -> None:
        """Let a worker hand back what it may hold: it does not know which COMMIT arrived."""
        claim.release(self.workers[index].id)

    @rule(index=INDEX)
    def time(self, index: int) -> None:
        """Let the time come for one step."""
        ready = [step.id for step in self.now.steps.values() if step.state == "ready"]
        if ready:
            pass_time(ready[index % len(ready)])

    # --- what must be true --------------------------------------------------------------------------------------------
    @invariant()
    def everything_is_as_it_must_be(self) -> None:
        if not hasattr(self, "model"):
            return
        self.now = world.read()
        wrong = moved_back(self.before, self.now) + broken_leases(self.now)
        assert not wrong, "; ".join(wrong)
        self.model.commit(self.now, set())
        made = Counter(run.name for run in self.now.runs.values() if run.key and run.name in STARTED_BY_PEOPLE)
        assert made == Counter(list(self.model.keys)), f"one key, several runs: {made}"
        ticks = sum(run.name == "hourly" for run in self.now.runs.values())
        assert ticks == len(self.model.fires), f"{ticks} runs for {len(self.model.fires)} moments"
        touched = {self.now.branches[b] for b, r in self.now.revisions.items() if self.before.revisions.get(b) != r}
        assert not world.forgotten(), f"they wait for what is there: {world.forgotten()}"
        for run in touched - self.now.late():
            assert_sound(run)
        self.before = self.now

    def teardown(self) -> None:
        """Let all trouble end: every run comes to its end, or to rest where a person has to decide."""
        if not hasattr(self, "model"):
            return
        handlers.forget()
        for number in range(ROUNDS):
            if not self._open() and not world.read().late():
                break
            self._help(give_up=number > GIVE_UP)
        now = world.read()
        self.model.committed = now.effects
        wrong = [f"{run.name} is {run.state} ({run.reason}) for ever" for run in self._open()]
        wrong += self.model.broken_end(now) + [str(effect) for effect, count in now.effects.items() if count > 1]
        assert not wrong, "; ".join(wrong)
        for run in now.runs:
            assert_sound(run)

    def _open(self) -> list[RunRow]:
        runs = world.read().runs.values()
        return [
            r for r in runs if r.state not in ("succeeded", "cancelled") and r.reason != "undone" and not r.resolved
        ]

    def _help(self, *, give_up: bool) -> None:
        """Do what people and time do, then let a worker take everything that is due."""
        for run in self._open():
            if run.state in ("suspended", "failed"):
                self._try("resume" if run.state == "suspended" else "cancel" if give_up else "retry", run.id)
        for step in Step.objects.filter(kind="listen", state="waiting"):
            for kind in ("paid", "sent"):
                event = {"specversion": "1.0", "id": f"last-{kind}-{step.run_id}", "source": "/t", "type": kind}
                operations.deliver_event(event, actor="x", via="api", run_id=step.run_id)
        self.answer("approved")
        lose_host()
        claim.reap()
        pass_time()
        worker = Person()
        while claimed := worker.claim():
            drive(Token(worker, claimed), Fate(), on=True)

    def _try(self, verb: str, run: uuid.UUID) -> None:
        with suppress(NotAllowed):
            getattr(operations, verb)(run, **WHY)

    def _run(self, index: int) -> RunRow:
        runs = list(self.now.runs.values())
        return runs[index % len(runs)]

    def _token(self, back: int) -> Token:
        return self.tokens[-1 - back % len(self.tokens)]

    def _stands(self, token: Token) -> bool:
        return world.held(token.claimed.step, token.claimed.claim)

    def _replace(self, dead: Person) -> None:
        self.workers = [Person() if worker is dead else worker for worker in self.workers]


class Between:
    """What others do between a worker's decision and its checkpoint, and how the world was afterwards."""

    def __init__(self, machine: Runs, what: str, token: Token) -> None:
        self.machine, self.what, self.token = machine, what, token
        self.happened, self.current, self.after = False, False, dict[str, str]()
        self.allowed: set[tuple[uuid.UUID, str]] = set()

    def __call__(self) -> None:
        run = self.token.claimed.run
        if self.what in ("claimed", "taken over"):
            self._take_over()
        elif self.what == "event":
            event = {"specversion": "1.0", "id": f"between-{run}", "source": "/t", "type": "paid", "data": 1}
            operations.deliver_event(event, actor="x", via="api", run_id=run)
        elif self.what != "nothing":
            self.machine._try({"cancelled": "cancel", "suspended": "suspend"}[self.what], run)
        self.happened = True
        self.current, self.after = self.machine._stands(self.token), world.fingerprint()

    def _take_over(self) -> None:
        """Let another worker take what it can get once all leases have run out, and finish it or only begin."""
        lose_host()
        claim.reap()
        pass_time(self.token.claimed.step)
        other = Person()
        while claimed := other.claim():
            token = Token(other, claimed)
            self.machine.tokens.append(token)
            if self.what == "taken over":
                now = world.read()
                self.allowed |= self.machine.model.may_commit(now.steps[claimed.step], now, on=False)
                drive(token, Fate(), on=False)
            if claimed.step == self.token.claimed.step:
                return
