"""Record that somebody took runs out of the system, and which."""

import uuid
from collections.abc import Mapping

from audit.recording import record
from workflows.operations import keyed

RUNS = uuid.UUID("4b6c7f60-0d1e-5c4a-8f0b-1d5a6e2f9c33")  # the audit chain of exports of runs


PERSONAL = ("q", "key", "tag")  # what people typed may name a person, and the trail outlives what is erased


def traced(words: Mapping[str, str]) -> dict[str, str]:
    """Return a filter as the trail says it: with keyed digests in the place of texts that may name a person."""
    return {name: keyed.digest("chosen", text) if name in PERSONAL else text for name, text in words.items()}


def note_export(words: Mapping[str, str], *, form: str, most: int, actor: str) -> None:
    """Record an export of the runs that a filter lets through, at most so many."""
    record(chain=RUNS, kind="runs.exported", actor=actor, data={"chosen": traced(words), "form": form, "most": most})
