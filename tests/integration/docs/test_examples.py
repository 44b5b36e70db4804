"""Every example of the documentation is executed."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, get_commands, load_command_class

from actions import registry
from dotdo_site.launch.verbs import VERBS
from tests.integration.api.conftest import Caller
from tests.integration.docs.blocks import PAGES, ROOT, Block, blocks, text_of
from tests.support.cluster import cluster
from tests.support.documents import HEAD
from tests.support.engine import finished, start_workflow, work_until_idle
from workflows import operations, queries
from workflows.approvals import Person
from workflows.models import Step

RUN = [block for block in blocks("yaml") if "# input:" in block.text]
REFUSED = [block for block in blocks("yaml") if "refused" in block.words]
KNOWN = {"python", "yaml", "json", "http", "bash", "sql", "text", "toml"}


@pytest.mark.parametrize("block", RUN, ids=str)
def test_a_workflow_of_the_documentation_gives_what_it_says(documented_actions: None, block: Block) -> None:
    run = _driven(start_workflow(_published(block), block.note("input")), block)
    if "fails" in block.words:
        assert run.state == "failed"
        assert run.error is not None
        assert block.note("error").items() <= run.error.items()
    else:
        assert (run.state, run.output) == ("succeeded", block.note("output")), run.error


@pytest.mark.parametrize("block", REFUSED, ids=str)
def test_a_document_that_the_documentation_calls_refused_is_refused_at_that_place(
    documented_actions: None, block: Block
) -> None:
    _, problems = operations.check_workflow(_whole(block, "refused"))
    pointer, words = re.findall(r"^# problem: (\S+) (.*)$", block.text, re.MULTILINE)[0]
    assert [(problem.pointer, problem.message.startswith(words)) for problem in problems] == [(pointer, True)], problems


def test_every_other_workflow_of_the_documentation_is_valid(documented_actions: None) -> None:
    for block in blocks("yaml"):
        if block not in REFUSED and block not in RUN:
            assert operations.check_workflow(_whole(block, "other"))[1] == [], block


def test_every_python_example_defines_an_action_or_builds_a_workflow(documented_code: list[ModuleType]) -> None:
    places = {spec.function.__module__ for spec in registry.specs()}
    for module in documented_code:
        workflow = getattr(module, "workflow", None)
        assert module.__name__ in places or (workflow and workflow.to_yaml()), module.__name__


def test_every_request_of_the_documentation_is_answered_as_it_says(api: Caller, tmp_path: Path) -> None:
    run = ""
    with cluster(tmp_path / "cluster.log"):
        for block in blocks("http"):
            method, path, headers, body = _request(block.text.replace("{run}", run))
            answer = api(method, path, body, **headers)
            expected = [int(word) for word in block.words] or [200, 201]
            assert answer.status_code in expected, (str(block), answer.content)
            if path.partition("?")[0].endswith("/runs") and answer.status_code == 201:
                run = answer.json()["id"]
                assert answer.json()["state"] == "succeeded"


def test_every_shell_block_can_be_parsed() -> None:
    for block in blocks("bash"):
        checked = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
        assert checked.returncode == 0, f"{block}: {checked.stderr}"


def test_every_make_target_that_is_named_exists() -> None:
    for page in PAGES:
        for target in re.findall(r"(?:`|^|=hello )make ([a-z0-9-]+)", page.read_text(), re.MULTILINE):
            assert target in VERBS, f"{page.name}: make {target}"


def test_every_management_command_that_is_named_exists_and_takes_these_arguments() -> None:
    for block in blocks("bash"):
        for line in re.findall(r"manage\.py ((?:.|\\\n)*?)\)?$", block.text.replace("\\\n", " "), re.MULTILINE):
            name, *arguments = shlex.split(line.partition(" <")[0])
            parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
            try:
                parser.parse_args(arguments)
            except CommandError as error:
                pytest.fail(f"{block}: {error}")


def test_every_management_command_in_running_text_exists() -> None:
    for page in PAGES:
        for name in re.findall(r"`manage\.py ([a-z_]+)", page.read_text()):
            assert name in get_commands(), f"{page.name}: manage.py {name}"


def test_the_web_server_takes_the_options_that_are_written_down() -> None:
    (line,) = re.findall(r"-m gunicorn (.*)", text_of("docs/operating.md"))
    checked = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--check-config", *shlex.split(line)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def test_no_block_is_in_a_language_that_nobody_checks() -> None:
    for page in PAGES:
        for info in re.findall(r"^```([a-z]*)[^\n]*\n(?:.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
            assert info in KNOWN, f"{page.name}: ```{info}"


def _published(block: Block) -> str:
    draft = operations.draft_workflow(_whole(block, f"docs-{block.line}"), actor="user:test")
    return operations.publish_workflow(draft.id, actor="user:test").workflow.name


def _whole(block: Block, name: str) -> str:
    """Return the document; where the documentation shows only a part, its head is made here."""
    has_head = re.search(r"^document:", block.text, re.MULTILINE)
    return block.text if has_head else HEAD % (name, "1.0.0") + block.text


def _driven(run_id: UUID, block: Block) -> queries.RunDetail:
    """Work, send the events of the example one after the other, answer its approval, and return the run."""
    work_until_idle()
    for number, event in enumerate(block.notes("event")):
        addressed = run_id if event.pop("to", None) else None
        envelope = {"specversion": "1.0", "id": f"{block.line}-{number}", "source": "/docs", **event}
        operations.deliver_event(envelope, actor="user:test", via="api", run_id=addressed)
        work_until_idle()
    for answer in block.notes("answer"):
        key = Step.objects.values_list("key", flat=True).get(run=run_id, function__startswith="approval:")
        asked = Person("ada", frozenset({"Operator"}))
        operations.answer_approval(run_id, key, **answer, person=asked, actor="user:ada")
    return finished(run_id)


def _request(text: str) -> tuple[str, str, dict[str, str], Any]:
    head, _, body = text.strip().partition("\n\n")
    first, *headers = head.splitlines()
    method, path = first.split()
    named = (header.split(": ", 1) for header in headers)
    return method, path, {name.replace("-", "_"): value for name, value in named}, json.loads(body) if body else None
