"""One short round of chaos in every build, with a fixed seed; `make chaos` plays longer ones."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, VAR

SECONDS = 30


@pytest.mark.timeout(300)
def test_no_promise_is_broken_while_everything_is_killed_cut_and_restarted() -> None:
    kept = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "MUTANT", "CALM", "KILLS")
    }
    environment = kept | {
        "DOTDO_VAR": str(VAR / "chaos"),
        "DURATION": str(SECONDS),
        "SEED": "20",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2_000:]
