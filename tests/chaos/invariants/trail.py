"""The audit trail is whole, and replaying it gives what the rows say."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Told

GOING, SUSPENDED, FAILED = "going", "suspended", "failed"
# From where each event about the run as a whole may come, and where it leads ("" leaves the state as it is).
MOVES = {
    "run.started": (("",), GOING),
    "run.waiting": ((GOING, SUSPENDED, FAILED), ""),
    "run.blocked": ((GOING, SUSPENDED, FAILED), ""),
    "run.suspended": ((GOING,), SUSPENDED),
    "run.resumed": ((SUSPENDED,), GOING),
    "run.failed": ((GOING, SUSPENDED, FAILED), FAILED),
    "run.retried": ((FAILED,), GOING),
    "run.unparked": ((FAILED,), GOING),
    "step.skipped": ((GOING, SUSPENDED, FAILED), GOING),
    "run.resolved": ((FAILED,), ""),
    "run.undo_requested": ((GOING, SUSPENDED, FAILED), GOING),
    "run.succeeded": ((GOING,), "succeeded"),
    "run.cancelled": ((GOING, SUSPENDED, FAILED), "cancelled"),
}


def every_chain_is_whole(evidence: Evidence) -> Iterator[str]:
    for found in evidence.broken:
        yield f"chain {found.chain}, link {found.seq}: {found.why}"


def a_branch_knows_the_end_of_its_chain(evidence: Evidence) -> Iterator[str]:
    for branch in evidence.branches:
        if evidence.heads.get(branch.id) != (branch.audit_seq, branch.audit_head):
            yield f"the chain of branch {branch.id} does not end where the branch says"


def no_link_is_missing(evidence: Evidence) -> Iterator[str]:
    links = Counter(told.chain for told in evidence.told)
    last: dict[str, int] = {}
    for told in evidence.told:
        last[told.chain] = max(told.seq, last.get(told.chain, 0))
    for chain, count in links.items():
        if count != last[chain] + 1:
            yield f"chain {chain} has {count} links, and its last one is number {last[chain]}"


def the_trail_of_a_run_is_legal_and_leads_to_its_state(evidence: Evidence) -> Iterator[str]:
    for run in evidence.runs:
        state = ""
        for told in evidence.told_of.get(run.id, []):
            if told.kind not in MOVES:
                continue
            allowed, leads_to = MOVES[told.kind]
            if state not in allowed:
                yield f"{run.name} {run.id}: {told.kind} came when the run was {state or 'not there'}"
            state = leads_to or state
        ends = state if state in ("succeeded", "cancelled", FAILED, SUSPENDED) else GOING
        is_ = run.state if run.state in ("succeeded", "cancelled", FAILED, SUSPENDED) else GOING
        if ends != is_:
            yield f"{run.name} {run.id} is {run.state}, and its trail says {ends}"


def a_step_ends_once(evidence: Evidence) -> Iterator[str]:
    ended = Counter((told.run, told.data["step"]) for told in evidence.told if _ends(told))
    done = {(step.run, step.key) for step in evidence.steps if step.state in ("succeeded", "skipped")}
    for (run, key), count in ended.items():
        if count > 1:
            yield f"the trail tells {count} times that step {key} of run {run} ended"
        if (run, key) not in done:
            yield f"the trail tells that step {key} of run {run} ended, its row does not"
    for run, key in done - ended.keys():
        yield f"step {key} of run {run} ended, and the trail does not tell it"


def _ends(told: Told) -> bool:
    return told.kind == "step.succeeded"


INVARIANTS = (
    every_chain_is_whole,
    a_branch_knows_the_end_of_its_chain,
    no_link_is_missing,
    the_trail_of_a_run_is_legal_and_leads_to_its_state,
    a_step_ends_once,
)
