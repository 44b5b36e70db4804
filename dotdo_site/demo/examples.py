"""The examples of the folder `examples/`: six stories from business life, with the actions that they call."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actions import schemas
from workflows.language import loader

FOLDER = Path(__file__).resolve().parents[2] / "examples"
ACTIONS = "actions.yaml"
# A workflow that others run is published before them.
WORKFLOWS = (
    "onboarding.yaml",
    "order-fulfilment.yaml",
    "approval-with-escalation.yaml",
    "polling-a-slow-job.yaml",
    "invoice-customer.yaml",
    "nightly-batch.yaml",
    "subscription.yaml",
)


def workflows() -> list[Path]:
    """Return the documents in the order in which they can be published."""
    return [FOLDER / name for name in WORKFLOWS]


def actions(standins: str) -> list[dict[str, Any]]:
    """Return the actions, with the address of the stand-ins in theirs."""
    document = loader.load((FOLDER / ACTIONS).read_text())
    return [_action(entry, standins) for entry in document["actions"]]


def _action(entry: Mapping[str, Any], standins: str) -> dict[str, Any]:
    config = dict(entry["config"])
    if "url" in config:
        config["url"] = config["url"].replace("{standins}", standins)
    return {
        **entry,
        "config": config,
        "input": schemas.normalise(entry["input"]),
        "output": schemas.normalise(entry["output"], closed=False),
    }
