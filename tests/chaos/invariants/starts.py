"""What clients were told about their starts, commands and answers is true."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos.evidence import Evidence
from tests.chaos.mix import CONSTRUCTS


def an_acknowledged_start_exists(evidence: Evidence) -> Iterator[str]:
    for key, known in evidence.view.starts.items():
        for run in known.runs - evidence.run.keys():
            yield f"{key} was answered with run {run}, which is not there"


def one_key_has_one_run(evidence: Evidence) -> Iterator[str]:
    for key, known in evidence.view.starts.items():
        if len(known.runs) > 1:
            yield f"{key} was answered with {len(known.runs)} runs"
    for (name, key), count in Counter((run.name, run.key) for run in evidence.runs if run.key).items():
        if count > 1:
            yield f"{count} runs of {name} have the key {key}"
    for (definition, key), count in Counter((row.definition, row.key) for row in evidence.keys).items():
        if count > 1:
            yield f"the key {key} of {definition} is there {count} times"


def no_run_has_a_key_that_nobody_sent(evidence: Evidence) -> Iterator[str]:
    for run in evidence.runs:
        if run.trigger == "api" and run.key not in evidence.view.starts:
            yield f"run {run.id} has the key {run.key}"


def a_right_request_is_never_refused(evidence: Evidence) -> Iterator[str]:
    for what, count in evidence.view.refusals.items():
        yield f"{what} ({count} times)"


def a_run_ends_as_its_construct_says(evidence: Evidence) -> Iterator[str]:
    for known in evidence.view.starts.values():
        construct = CONSTRUCTS[known.start.construct]
        for run in map(evidence.run.get, known.runs):
            if run is None:
                continue
            if run.state not in construct.ends:
                yield f"{run.name} {run.id} is {run.state} ({run.reason}): {run.error}"
            elif run.state == "succeeded" and run.output != construct.output(known.start.input):
                yield f"{run.name} {run.id} gave {run.output} for {known.start.input}"


def what_an_operator_did_lasts(evidence: Evidence) -> Iterator[str]:
    for run_id, verbs in evidence.view.commands.items():
        run = evidence.run.get(run_id)
        if run is None:
            yield f"run {run_id} is not there"
        elif ("cancellation" in verbs or "undo" in verbs) and run.state != "cancelled":
            yield f"run {run_id} was {verbs}, and is {run.state}"
        elif "resolution" in verbs and (run.state != "failed" or run.resolved_at is None):
            yield f"run {run_id} was resolved, and is {run.state}"
        elif "skips" in verbs and run.state != "succeeded":
            yield f"a step of run {run_id} was skipped, and the run is {run.state}"


def the_first_answer_counts(evidence: Evidence) -> Iterator[str]:
    for run_id, said in evidence.view.answers.items():
        run = evidence.run.get(run_id)
        if len(said) > 1:
            yield f"run {run_id} took {len(said)} answers"
        if run is None or run.output != {"name": said[0]}:
            yield f"run {run_id} was answered {said[0]}, and gave {run and run.output}"


INVARIANTS = (
    an_acknowledged_start_exists,
    one_key_has_one_run,
    no_run_has_a_key_that_nobody_sent,
    a_right_request_is_never_refused,
    a_run_ends_as_its_construct_says,
    what_an_operator_did_lasts,
    the_first_answer_counts,
)
