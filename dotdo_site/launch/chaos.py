"""The verbs that attack a whole installation of its own: chaos, chaos-long, chaos-report, chaos-mutants."""

import argparse
import os
import subprocess
import sys

from dotdo_site.launch.checkout import ROOT
from dotdo_site.launch.quality import CHAOS_CLUSTER, environment_of

LONG_SECONDS = "3600"


def chaos(_: argparse.Namespace) -> int:
    """Attack for DURATION seconds with the faults of SEED, and check every promise."""
    return _run("tests.chaos")


def chaos_long(_: argparse.Namespace) -> int:
    """Attack for an hour."""
    return _run("tests.chaos", DURATION=os.environ.get("DURATION") or LONG_SECONDS)


def chaos_report(_: argparse.Namespace) -> int:
    """Attack with one seed after the other and write down what came of it."""
    return _run("tests.chaos.report")


def chaos_mutants(_: argparse.Namespace) -> int:
    """Plant bugs and see that each is found."""
    return _run("tests.chaos.mutants")


def _run(module: str, **more: str) -> int:
    return subprocess.call([sys.executable, "-m", module], cwd=ROOT, env=environment_of(CHAOS_CLUSTER) | more)
