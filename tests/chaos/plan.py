"""What goes wrong and when: a list drawn from the seed alone. Which process it hits is looked up when it happens."""

import random
from dataclasses import dataclass

SHORTEST, LONGEST = 1 / 3, 5 / 3  # of the mean pause
WEIGHTS = {
    "kill busy worker": 14,
    "kill worker": 8,
    "kill sentinel": 3,
    "kill pusher": 4,
    "kill monitor": 3,
    "kill housekeeper": 3,
    "kill cluster": 3,
    "kill web worker": 3,
    "kill web": 1,
    "stop worker": 10,
    "freeze cluster": 4,
    "stop pusher": 2,
    "stop sentinel": 2,
    "stop web worker": 2,
    "terminate backends": 20,
    "restart immediate": 1.5,
    "restart fast": 1.5,
    "latency": 5,
    "hang network": 3,
    "cut network": 2,
    "cut commit before": 2,
    "cut commit after": 2,
}
KILLS = tuple(name for name in WEIGHTS if name.startswith("kill "))


@dataclass(frozen=True)
class Fault:
    """One fault: after which pause, what, in which of the clusters, and for how long, where it lasts."""

    pause: float
    kind: str
    cluster: int
    draw: float
    seconds: float


def schedule(
    seed: int, duration: float, pause: float = 0.3, clusters: int = 2, kinds: tuple[str, ...] = tuple(WEIGHTS)
) -> list[Fault]:
    """Return the faults of a run: each kind once in random order, then by weight, until the time is over.

    `pause`: the mean of the seconds between two of them.
    """
    random_ = random.Random(f"{seed} faults")
    first = list(kinds)
    random_.shuffle(first)
    weights = [WEIGHTS[kind] for kind in kinds]
    found: list[Fault] = []
    at = 0.0
    while at < duration:
        kind = first.pop() if first else random_.choices(kinds, weights)[0]
        seconds = pause * random_.uniform(SHORTEST, LONGEST)
        found.append(Fault(seconds, kind, random_.randrange(clusters), random_.random(), random_.uniform(1.0, 7.0)))
        at += seconds
    return found
