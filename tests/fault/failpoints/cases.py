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
EFFECTS = {"book": 1, "left": 1, "note": 1}
# Before and after: the claim, a plain handler, the fence, a transactional effect, the checkpoint's statement (with the
# end of a branch, the opening of a fork, the join, a listen, the start of a child, an undo pushed), COMMIT, what follows.
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
