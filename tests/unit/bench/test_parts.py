"""A bench of many parts: what fails costs only itself, what was done is not done again."""

import os
import sys
import time
from pathlib import Path

import pytest

from bench import parts
from bench.parts import FAILED, Part, Store, run
from bench.peers import install
from bench.peers.marks import Marks, mark

CHILD = (
    "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, file=sys.stderr, flush=True); "
)


def _part(code: str, **options: object) -> Part:
    return Part("part", [sys.executable, "-c", code], dict(os.environ), **options)  # type: ignore[arg-type]


def test_the_last_line_is_the_answer(tmp_path: Path) -> None:
    assert run(_part("print('words'); print('{\"n\": 1}')"), tmp_path / "log") == {"n": 1}


def test_a_part_that_fails_says_why_and_harms_nobody(tmp_path: Path) -> None:
    answer = run(_part("raise RuntimeError('no such server')"), tmp_path / "log")
    assert answer == {FAILED: "it ended with 1: RuntimeError: no such server"}


def test_a_part_that_answers_nothing_is_not_measured(tmp_path: Path) -> None:
    assert FAILED in run(_part("print('done')"), tmp_path / "log")
    assert FAILED in run(_part("pass"), tmp_path / "log")


@pytest.mark.parametrize("end", ["time.sleep(60)", "print('{}')", "raise SystemExit(3)"])
def test_no_process_outlives_its_part(end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "END_SECONDS", 2)
    run(_part(CHILD + end, limit_seconds=1.0), tmp_path / "log")
    child = int((tmp_path / "log").read_text().split()[0])
    until = time.monotonic() + 5
    while time.monotonic() < until and _runs(child):
        time.sleep(0.05)
    assert not _runs(child)


def test_an_answer_counts_also_when_something_is_left_running(tmp_path: Path) -> None:
    begun = time.monotonic()
    assert run(_part(CHILD + "print('{}')"), tmp_path / "log") == {}
    assert time.monotonic() - begun < 30


def test_a_part_that_hangs_is_cut_off(tmp_path: Path) -> None:
    assert run(_part("import time; time.sleep(60)", limit_seconds=1), tmp_path / "log") == {
        FAILED: "it took more than 1 s"
    }


def test_what_prints_for_people_may_find_that_it_is_not_good_enough(tmp_path: Path) -> None:
    assert run(_part("print('slow'); raise SystemExit(1)", prints=True), tmp_path / "log") == {
        "good": False,
        "text": "slow",
    }


def test_an_interrupted_bench_goes_on_but_not_with_figures_of_other_code(tmp_path: Path) -> None:
    head = {"commit": "a", "quick": False}
    Store(tmp_path / "kept", head, fresh=False).put("dbos-1", {"steps_per_s": 700})
    assert Store(tmp_path / "kept", head, fresh=False).get("dbos-1") == {"steps_per_s": 700}
    assert Store(tmp_path / "kept", head | {"quick": True}, fresh=False).get("dbos-1") is None
    Store(tmp_path / "kept", head, fresh=False).put("dbos-1", {"steps_per_s": 700})
    assert Store(tmp_path / "kept", head | {"commit": "b"}, fresh=False).get("dbos-1") is None
    Store(tmp_path / "kept", head, fresh=False).put("dbos-1", {"steps_per_s": 700})
    assert Store(tmp_path / "kept", head, fresh=True).get("dbos-1") is None


def test_figures_of_another_day_are_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path / "kept", {}, fresh=False).put("dbos-1", {})
    monkeypatch.setattr(parts, "YOUNG_SECONDS", -1)
    assert Store(tmp_path / "kept", {}, fresh=False).get("dbos-1") is None


def test_a_peer_without_its_package_manager_is_not_installed() -> None:
    with pytest.raises(install.NotInstalled, match="no-such-program is not installed"):
        install._run(["no-such-program"])
    with pytest.raises(install.NotInstalled, match=r"failed: .*no such index"):
        install._run([sys.executable, "-c", "raise SystemExit('no such index')"])


def test_a_step_that_runs_twice_counts_once_and_others_do_not_count() -> None:
    marks = Marks()
    try:
        for key, number in (("b", 1), ("a", 1), ("a", 1), ("a", 5), ("a", 10), ("a", 10)):
            mark(key, number)
        seen = marks.until(["a"])
        assert seen.keys() == {"a"}
        assert seen["a"][0] <= seen["a"][1]
    finally:
        marks.close()


def test_runs_that_never_end_are_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.peers.marks.WAIT_SECONDS", 0.1)
    marks = Marks()
    try:
        mark("a", 1)
        with pytest.raises(TimeoutError):
            marks.until(["a"])
    finally:
        marks.close()


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
