"""The matrix: where a run is hit and by what, and the workflow that has all these places."""

from dataclasses import dataclass

DOCUMENT = """
do:
  - book:
      call: failpoint-ledger
      with: {name: book}
      metadata: {dotdo: {undo: {call: failpoint-ledger, with: {name: unbook}}}}
  - charge: {call: failpoint-send}
  - pause: {wait: {milliseconds: 200}}
  - answer: {listen: {to: {one: {with: {type: paid}}}}}
  - both:
      fork:
        branches:
          - left: {call: failpoint-ledger, with: {name: left}}
          - right: {call: failpoint-send}
  - child: {run: {workflow: {namespace: tests, name: inner, version: latest, input: {}}}}
  - note: {call: failpoint-ledger, with: {name: note}}
"""
INNER = "do: [{inner: {call: failpoint-ledger, with: {name: inner}}}]"
SLOW = "do: [{charge: {call: failpoint-send, with: {seconds: 3}}}]"
TICKING = "schedule: {every: PT2S}\ndo: [{tick: {set: {done: true}}}]"
EFFECTS = {"book": 1, "left": 1, "note": 1}
# Around the claim, a plain handler, the fence, a transactional effect, the checkpoint's statement (the end of a branch,
# the opening of a fork, the join, a listen, the start of a child, an undo pushed), the COMMIT and what follows.
PLACES = {
    "claimed": ("book", "pause", "left", "both"),
    "before": ("charge", "right"),
    "after": ("charge", "right"),
    "locked": ("book", "child"),
    "effect": ("book", "child", "note"),
    "statement": ("charge", "pause", "right", "both"),
    "written": ("book", "charge", "pause", "right", "both", "child", "note"),
    "recorded": ("charge", "pause", "right"),
    "committed": ("book", "left", "note"),
}
POINTS = [f"{point}@{step}" for point, steps in PLACES.items() for step in steps]

# What belongs to no run, and what can happen there: a schedule whose start raises is paused for a person to look at,
# and the thread that renews leases has no session of Django's.
OTHERS = {
    "kill": ("notify-before", "notify-after", "reap-before", "reap-after", "dequeue-before", "dequeue-after",
             "chore-before", "chore-after", "renew-before", "renew-after", "fire-before", "fire-after"),
    "terminate": ("notify-before", "reap-before", "dequeue-before", "chore-before", "fire-before", "fire-after"),
    "raise": ("notify-before", "reap-before", "chore-before", "renew-before"),
}  # fmt: skip
CLIENTS = {
    "start": ("start-before", "start-after"),
    "deliver": ("deliver-before", "address-before", "address-after", "deliver-after"),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One run and what hits it."""

    place: str
    action: str

    @property
    def arm(self) -> str:
        """Return what the run's input says."""
        return f"{self.place}:{self.action}"


KILLED = [Case(place, action) for place in POINTS for action in ("kill", "terminate", "raise")]
FROZEN = [Case(place, "stop") for place in POINTS]
