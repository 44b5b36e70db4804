"""The tables of a bench say what was measured, and say so where something was not."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import compare, growth, report
from bench.parts import FAILED
from bench.peers.contestants import CONTESTANTS

LATENCY = {"first_p50": 2.0, "first_p95": 4.0, "last_p50": 9.0, "last_p95": 14.0}
CHAIN = {"steps_per_s": 2400.0, "commits_per_step": 1.1, "syncs_per_step": 0.9, "wal_bytes_per_step": 3072.0}
OURS = {
    "chains": {"outside": CHAIN, "pure": CHAIN | {"steps_per_s": 6000.0}, "transactional": CHAIN},
    "latency": LATENCY,
    "repeats_per_s": 3200.0,
    "idle_pss_mib": 44.0,
}
DBOS = {"steps_per_s": 600.0, "first_ms": [2.0, 3.0], "last_ms": [20.0, 30.0], "repeats_per_s": 900.0}
SETTING = {"processes": 2, "concurrency": 8}


def _found(**changes: Any) -> dict[str, Any]:
    facts = {
        "date": "2026-11-22 01:00 UTC",
        "commit": "abc",
        "machine": "x86_64, 2 processors",
        "system": "Linux",
        "python": "3.11",
        "postgresql": "18.4",
        "settings": {"fsync": "on"},
        "packages": {"Django": "5.2"},
        "syncs_per_s": 5000,
    }
    tuned = {"version": "3", "setting": SETTING, "rates": [SETTING | {"steps_per_s": 590.0}]}
    rounds = [DBOS | {"idle_pss_mib": 52.0, "server_pss_mib": None}]
    return {
        "machine": facts,
        "quick": False,
        "rounds": 3,
        "scale": [{"clusters": 1, "workers": 2, "outside": 2400.0, "pure": 6000.0}],
        "physical": [
            {
                "checkpoints_per_s": {"2": 3000.0, "4": 4800.0},
                "single_rows_per_s": {"2": 7000.0},
                "wal_bytes_per_checkpoint": 2048.0,
            }
        ],
        "ours": {"workers": 2, "rounds": [OURS]},
        "peers": [
            {"name": "dbos", "title": "DBOS", "durable": True, "tuned": tuned, "rounds": rounds},
            {"name": "celery", "title": "Celery", "durable": True, FAILED: "redis-server is not installed"},
        ],
        "beside": {"claims": {"good": True, "text": "0.3 ms p95"}},
    } | changes


def test_a_report_ranks_compares_and_names_what_is_missing() -> None:
    text = report.markdown(_found())
    assert text.index("may share commits**") < text.index("one commit per step**") < text.index("| DBOS | 600")
    assert "| DBOS | 600 | 4.00 × |" in text
    assert "The quickest durable peer is DBOS, of which dotdo, one commit per step 4.00 ×" in text
    assert "Not measured: Celery: redis-server is not installed." in text
    assert "80% of pgbench with as many clients and 50% of its best" in text
    assert "2.0 kB in the log" in text
    assert "`fsync=on`" in text
    assert "0.3 ms p95" in text


def test_a_report_says_when_the_machine_did_something_else() -> None:
    assert "Begun while" not in report.markdown(_found())
    noisy = _found(ours={"workers": 2, "rounds": [OURS | {"busy": 0.1}, OURS | {"busy": 0.6}]})
    assert "used more than 20% of the processors: 1 of 2 parts." in report.markdown(noisy)


def test_a_report_of_some_peers_only_has_no_empty_tables() -> None:
    text = report.markdown(_found(ours={"workers": 2, "rounds": []}, physical=[], scale=[], beside={}))
    assert "DBOS" in text
    assert "pgbench" not in text
    assert "clusters" not in text
    assert "What a step costs" not in text


def test_figures_replace_only_themselves_in_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{compare.BEGIN}\nold\n{compare.END}\nafter\n")
    monkeypatch.setattr(compare, "SHOWN", page)
    compare._show("new\n")
    compare._show("newer\n")
    assert page.read_text() == f"before\n{compare.BEGIN}\nnewer\n{compare.END}\nafter\n"


def test_the_documentation_has_a_place_for_figures() -> None:
    assert compare.SHOWN.read_text().count(compare.BEGIN) == compare.SHOWN.read_text().count(compare.END) == 1


def test_every_peer_has_its_file_and_its_pinned_list() -> None:
    folder = Path(compare.__file__).parent / "peers"
    for peer in CONTESTANTS:
        assert (folder / f"{peer.module}.py").exists()
        lines = (folder / "requirements" / f"{peer.module}.txt").read_text().split()
        assert lines
        assert all("==" in line for line in lines)


@pytest.mark.parametrize("share", [1.0, 0.96, 0.9])
def test_growth_finds_what_became_slowest(share: float) -> None:
    slower = {
        **OURS,
        "chains": {kind: {**chain, "steps_per_s": 2400.0 * share} for kind, chain in OURS["chains"].items()},  # type: ignore[attr-defined]
    }
    empty = {**OURS, "chains": dict.fromkeys(OURS["chains"], CHAIN)}  # type: ignore[call-overload]
    text, kept = growth.judged({"empty": [empty], "full": [slower]})
    assert kept == pytest.approx(share)
    assert f"The least is {share:.0%}; wanted are 95%." in text


def test_growth_counts_more_milliseconds_as_less_speed() -> None:
    later = {**OURS, "latency": {**LATENCY, "first_p95": 8.0}}
    assert growth.judged({"empty": [OURS], "full": [later]})[1] == 0.5


def test_growth_refuses_what_the_disk_cannot_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOTDO_VAR", str(tmp_path))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10**10))
    growth._refuse_without_room(1, 1)
    with pytest.raises(SystemExit, match="--runs 1000000000000 --whole 250000000000"):
        growth._refuse_without_room(10**12, 10**12)
