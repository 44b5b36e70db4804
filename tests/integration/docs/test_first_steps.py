"""The ten lines of the README, run as a newcomer runs them: files, server, workers, shell."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command

from tests.integration.docs.blocks import ROOT, Block, blocks
from tests.support.cluster import cluster
from tests.support.pages import served

HERE = [block for block in blocks("python", "yaml", "bash") if block.page.name == "README.md"]
FILES = {block.file: block.text for block in HERE if block.file}


@pytest.mark.skipif(shutil.which("curl") is None, reason="the commands use curl")
def test_the_ten_lines_of_the_readme_make_a_run_that_succeeds_once(
    database: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "DOTDO_ACTION_MODULES": "hello"}
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    _manage("sync_actions", environment)
    call_command("login")
    with served(WSGIHandler()) as url, cluster(tmp_path / "cluster.log", **environment):
        *_, first, again = _shell(tmp_path, url)
    assert (first["state"], first["output"]["value"]) == ("succeeded", {"text": "Hello, Ada!"})
    assert again["id"] == first["id"]


def test_the_first_example_keeps_its_promise_of_ten_lines() -> None:
    lines = [line for text in FILES.values() for line in text.splitlines() if line.strip()]
    assert len(lines) <= 10


def _shell(folder: Path, url: str) -> list[dict[str, Any]]:
    """Run the block, its last line twice, and return the JSON documents it prints."""
    (block,) = (block for block in HERE if "runs" in block.words)
    done = subprocess.run(["bash", "-c", _here(block, url)], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return _documents(done.stdout.decode())


def _here(block: Block, url: str) -> str:
    """Return the script as it stands, but for the places of server and Python."""
    moved = block.text.replace("http://127.0.0.1:8000", url).replace(
        ".venv/bin/python manage.py", f"{sys.executable} {ROOT / 'manage.py'}"
    )
    return f"set -e\n{moved}{moved.strip().splitlines()[-1]}\n"


def _documents(text: str) -> list[dict[str, Any]]:
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        document, at = decoder.raw_decode(text, at)
        found.append(document)
    return found


def _manage(command: str, environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, ROOT / "manage.py", command], env=os.environ | environment, check=True, cwd=ROOT)
