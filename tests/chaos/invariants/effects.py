"""Effects in the database happened exactly once, those outside at least once; what was undone was done before."""

import re
from collections import Counter
from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Step

TRANSACTIONAL = ("chaos-write", "chaos-unwrite")
OUTSIDE = ("chaos-http", "chaos-call", "chaos-uncall")
ATTEMPT = re.compile(r"@[0-9]+/try/")
AGAIN = re.compile(r"(?<=#undo)\[\d+\]$")
TAKEN = 200
STALE = 409


def a_transactional_effect_happens_exactly_once(evidence: Evidence) -> Iterator[str]:
    wanted = {(s.run, s.key) for s in evidence.steps if _called(s) in TRANSACTIONAL and s.state == "succeeded"}
    found = Counter((effect.run, effect.step) for effect in evidence.ledger)
    for (run, key), count in found.items():
        if count > 1:
            yield f"step {key} of run {run} wrote {count} times"
        if (run, key) not in wanted:
            yield f"step {key} of run {run} wrote, and did not succeed"
    for run, key in wanted - found.keys():
        yield f"step {key} of run {run} succeeded, and wrote nothing"


def a_transactional_effect_is_in_the_trail(evidence: Evidence) -> Iterator[str]:
    told = {(event.run, event.data["step"]) for event in evidence.told if event.kind == "step.succeeded"}
    for effect in evidence.ledger:
        if (effect.run, effect.step) not in told:
            yield f"the trail does not tell that step {effect.step} of run {effect.run} succeeded"


def an_effect_outside_happens_at_least_once(evidence: Evidence) -> Iterator[str]:
    for step in evidence.steps:
        if _called(step) not in OUTSIDE or step.state != "succeeded":
            continue
        if not any(delivery.status == TAKEN for delivery in evidence.arrived.get(_effect_key(step), [])):
            yield f"step {step.key} of run {step.run} succeeded, and the sink never took it"


def the_sink_knows_no_key_that_nobody_has(evidence: Evidence) -> Iterator[str]:
    known = {_effect_key(step).rpartition(":")[0] for step in evidence.steps if _called(step) in OUTSIDE}
    for key in evidence.arrived:
        if key.rpartition(":")[0] not in known:
            yield f"the sink was called with the key {key}"


def one_claim_calls_once(evidence: Evidence) -> Iterator[str]:
    """Two deliveries with one key come from two claims, and the later claim has the larger fence."""
    for (key, fence), count in Counter((found.key, found.fence) for found in evidence.deliveries).items():
        if count > 1:
            yield f"{key} came {count} times with the fence {fence}"


def the_fence_of_a_living_attempt_never_falls(evidence: Evidence) -> Iterator[str]:
    """The sink refuses a smaller fence than it has seen; no attempt that counts may meet that."""
    for attempt in evidence.attempts:
        if attempt.code == "stale":
            yield f"attempt {attempt.number} of step {attempt.step} was refused: the sink had seen a larger fence"


def a_mail_is_sent_at_least_once(evidence: Evidence) -> Iterator[str]:
    sent = len({mail.number for mail in evidence.mails if mail.subject.startswith("Number ")})
    wanted = sum(_called(step) == "chaos-send" and step.state == "succeeded" for step in evidence.steps)
    tried = sum(_called(step) == "chaos-send" for step in evidence.steps)
    if not wanted <= sent <= tried:
        yield f"{wanted} of {tried} steps sent their mail, and {sent} different mails came"


def in_calm_everything_arrives_once(evidence: Evidence) -> Iterator[str]:
    if not evidence.calm:
        return
    asked = Counter(_effect_key(step) for step in evidence.steps if _called(step) in OUTSIDE)
    for key, deliveries in evidence.arrived.items():
        if len(deliveries) > asked[key]:  # a `try` that runs again repeats what succeeded in it, under the same key
            yield f"{key} came {len(deliveries)} times for {asked[key]} steps"
    for number, count in Counter(mail.number for mail in evidence.mails).items():
        if count > 1:
            yield f"the mail {number} came {count} times"


def what_is_undone_is_what_was_done(evidence: Evidence) -> Iterator[str]:
    """A scope that was undone took back each write once, the last one first; any other took back nothing.

    The trail says who was to be undone: the operator's answer may have been lost with its commit.
    """
    asked = {event.run for event in evidence.told if event.kind == "run.undo_requested"}
    for run in evidence.runs:
        effects = evidence.effects_of.get(run.id, [])
        taken_back = [effect.name for effect in effects if effect.undo]
        undone = run.output == {"state": "undone"} or run.id in asked
        done = [effect.name for effect in effects if not effect.undo][::-1] if undone else []
        if run.state in ("succeeded", "cancelled") and taken_back != done:
            yield f"{run.name} {run.id} did {[e.name for e in effects if not e.undo]} and took back {taken_back}"


def a_compensation_is_done_once(evidence: Evidence) -> Iterator[str]:
    for (where, place), count in Counter((row.run, row.place) for row in evidence.undos).items():
        if count > 1:
            yield f"run {where} recorded {place} {count} times"
    for undo in evidence.undos:
        run = evidence.run.get(undo.run)
        if undo.state == "running" and run is not None and run.state in ("succeeded", "cancelled"):
            yield f"the compensation of {undo.place} in the ended run {undo.run} is under way"


def a_counter_counts_every_increment(evidence: Evidence) -> Iterator[str]:
    wanted: Counter[tuple[str, str]] = Counter()
    for step in evidence.steps:
        if _called(step) == "datastore.incr" and step.state == "succeeded":
            wanted[step.input["namespace"], step.input["key"]] += 1
    found = {(entry.namespace, entry.key): entry for entry in evidence.entries}
    for place in wanted.keys() | found.keys():
        entry = found.get(place)
        if entry is None or (entry.value, entry.version) != (wanted[place], wanted[place]):
            yield f"{place} was counted up {wanted[place]} times, and is {entry and entry.value}"


def _called(step: Step) -> str:
    return step.function.rpartition(":")[0]


def _effect_key(step: Step) -> str:
    """Return the key that the receiver gets: the place without attempts of the tries around it, and a generation."""
    place = AGAIN.sub("", ATTEMPT.sub("/try/", step.key))
    return f"{step.run}:{place}:{step.generation}"


INVARIANTS = (
    a_transactional_effect_happens_exactly_once,
    a_transactional_effect_is_in_the_trail,
    an_effect_outside_happens_at_least_once,
    the_sink_knows_no_key_that_nobody_has,
    one_claim_calls_once,
    the_fence_of_a_living_attempt_never_falls,
    a_mail_is_sent_at_least_once,
    in_calm_everything_arrives_once,
    what_is_undone_is_what_was_done,
    a_compensation_is_done_once,
    a_counter_counts_every_increment,
)
