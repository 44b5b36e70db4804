"""One seed, one execution: processes take turns in an order, and die, freeze and lose answers at moments, of chance.

After the chaos comes calm: faults end, frozen workers thaw, time passes only when nothing is due. A run that does not
end then never will.
"""

from dataclasses import dataclass
from random import Random

from tests.fault.simulation import claims, invariants, people
from tests.fault.simulation.people import Turns
from tests.fault.simulation.rows import STOPPED, UNDONE, Database, Violation
from tests.fault.simulation.scenarios import SCENARIOS, Scenario
from tests.fault.simulation.worker import Worker

WORKERS = ("w1", "w2", "w3")
CHAOS, CALM = 120, 2_000
KILLED, FROZEN, LATER = 0.02, 0.05, 0.20
JUMPS = (0.1, 1.0, 5.0, 11.0, 40.0)
CANCELLED = 0.05
BUSY = ("ready", "running")


def scenario_of(seed: int) -> Scenario:
    """Return the program that a seed plays."""
    return SCENARIOS[seed % len(SCENARIOS)]


def play(seed: int, bugs: frozenset[str] = frozenset()) -> "Played":
    """Execute a seed to its end and look for broken promises."""
    random, scenario = Random(seed), scenario_of(seed)
    db = Database(random, bugs)
    db.start("", scenario.input)
    simulation = Simulation(db, scenario, random)
    try:
        simulation.chaos()
        simulation.calm()
        return Played(db, invariants.broken(db, scenario, cancelled=simulation.cancelled, undone=simulation.undone))
    except Violation as violation:
        return Played(db, [str(violation)])


@dataclass(frozen=True, slots=True)
class Played:
    """The rows after an execution, and what is wrong with them: nothing, if all is well."""

    db: Database
    broken: list[str]


class Simulation:
    """The scheduler: who is alive, who is frozen until when."""

    def __init__(self, db: Database, scenario: Scenario, random: Random) -> None:
        self.db, self.random = db, random
        self.workers = {name: Worker(db, scenario, name) for name in WORKERS}
        self.lives: dict[str, Turns] = {name: worker.life() for name, worker in self.workers.items()}
        self.lives |= {f"sender {event['id']}": people.send(db, event) for event in scenario.events}
        self.lives["operator"] = people.operate(db)
        self.cancelled = random.random() < CANCELLED
        if self.cancelled:
            self.lives["canceller"] = people.cancel(db)
        self.undone = random.random() < scenario.undoable
        if self.undone:
            self.lives["undoer"] = people.undo(db)
        self.frozen: dict[str, int] = {}

    def chaos(self) -> None:
        """Let everything go wrong for a while."""
        random, names = self.random, list(self.lives)
        for turn in range(CHAOS):
            fate, name = random.random(), random.choice(names)
            if fate < LATER:
                self._mishap(fate, name, turn)
            if self.frozen.get(name, turn) <= turn:
                self._turn(name)

    def calm(self) -> None:
        """Let everything come to its end. What rests is worked through in the order of time."""
        self.db.calm = True
        for turn in range(CALM):
            alive = list(self.lives)
            name = alive[turn % len(alive)]
            self._turn(name)
            if name == WORKERS[0] and not self._pass_time():
                return

    def _mishap(self, fate: float, name: str, turn: int) -> None:
        if fate < KILLED and name in self.workers:
            self._kill(name)
        elif fate < FROZEN and name in self.workers:
            self.frozen[name] = turn + self.random.randrange(5, 60)
        else:
            self.db.now += self.random.choice(JUMPS)

    def _kill(self, name: str) -> None:
        """End a process. Sometimes the watchdog is there to end its leases too."""
        claims.unlock(self.db, name)
        if self.random.random() < 0.5:
            claims.expire(self.db, name)
        self.lives[name] = self.workers[name].life()

    def _turn(self, name: str) -> None:
        life = self.lives.get(name)
        if life is None:
            return
        try:
            next(life)
        except StopIteration:
            del self.lives[name]

    def _pass_time(self) -> bool:
        """Move on to the next moment at which something falls due; false when nothing ever will."""
        db = self.db
        if any(worker.busy for worker in self.workers.values()):
            return True
        moments = [s.due if s.state == "ready" else s.lease + 0.001 for s in db.open.values() if s.state in BUSY]
        if moments:
            db.now = max(db.now, min(moments))
            return True
        stopped = any(r.state in STOPPED and r.reason != UNDONE for r in db.runs.values())
        return stopped or len(self.lives) > len(self.workers) + 1
