"""The page on the builder, followed as a newcomer does: one file, one command, a run to the end."""

import subprocess
import sys

import pytest

from tests.integration.docs.blocks import ROOT, Block, blocks
from tests.integration.examples.conftest import World, send, world  # noqa: F401 - a fixture
from workflows import operations, queries
from workflows.approvals import Person
from workflows.operations import DefinitionInvalid

HERE = [block for block in blocks("python", "bash") if block.page.name == "builder.md"]
ORDER = {"order": "A-1", "customer": "usr_1", "card": "tok_visa", "total": 200_000}
ADA = Person("ada", frozenset({"Operator"}))


def test_the_first_example_of_the_builder_can_be_published_twice_and_run(request: pytest.FixtureRequest) -> None:
    started: World = request.getfixturevalue("world")
    assert [_published(), _published()] == ["large-order:1.0.0"] * 2
    run_id = started.start("large-order", ORDER)
    (asked,) = queries.open_approvals(ADA).items
    operations.answer_approval(run_id, asked.key, "approved", person=ADA, actor="user:ada")
    started.settle()
    send("1", "com.example.packed", {"order": "A-1"})
    started.settle()
    run = started.run(run_id)
    assert (run.state, run.output) == ("succeeded", [{"order": "A-1"}]), run.error


def test_the_first_example_of_the_builder_undoes_the_charge_when_nothing_is_packed(
    request: pytest.FixtureRequest,
) -> None:
    started: World = request.getfixturevalue("world")
    _published()
    run_id = started.start("large-order", {**ORDER, "total": 100})
    started.pass_time()
    run = started.run(run_id)
    assert (run.state, run.output["state"]) == ("succeeded", "undone"), run.error
    assert len(started.ask("/payments/refunds")) == 1


@pytest.mark.usefixtures("database")
def test_what_cannot_be_published_says_why_also_on_the_terminal() -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        operations.draft_workflow("{}", actor="user:ada")
    assert str(refused.value) == "The document has 2 problems. / `document` is missing; / `do` is missing"
    assert refused.value.message == "The document has 2 problems."


def _published() -> str:
    """Run the blocks as one file, by the command of the page; return what it prints."""
    (command,) = (block for block in HERE if block.language == "bash")
    done = subprocess.run(
        ["bash", "-c", _here(command)], input="".join(block.text for block in HERE if block.language == "python"),
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def _here(command: Block) -> str:
    return command.text.replace(".venv/bin/python", sys.executable).replace(" < order.py", "")
