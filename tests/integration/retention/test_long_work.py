"""Families that need long, and runs that have to stay, keep neither the others nor the housekeeper."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection

from dotdo_site.lib import signs
from tests.integration.retention.aging import aged, family, old_action, old_workflow, there
from tests.integration.retention.test_retention import CHILD, MAP, PARENT
from tests.support.documents import publish
from tests.support.engine import start_workflow, work_until_idle
from workflows import operations, pulse, retention
from workflows.models import Run, Step, Workflow
from workflows.retention import deleting, lines, passes, picking, policy, removal
from workflows.retention.passes import Pass, Passes


def old_parents(number: int) -> list[uuid.UUID]:
    """Return runs that ended 40 days ago, each with a child."""
    publish("story", PARENT)
    runs = [start_workflow("story", {}) for _ in range(number)]
    work_until_idle()
    for run in runs:
        aged(*family(run))
    return list(Run.objects.filter(pk__in=runs).order_by("finished_at").values_list("pk", flat=True))


def test_a_family_with_too_many_steps_for_one_transaction_goes_from_below(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("child", CHILD)
    run = old_workflow(MAP, {"items": [{"word": str(n)} for n in range(7)]})
    each = Step.objects.filter(run=family(run)[1]).count()
    monkeypatch.setattr(picking, "MOST_STEPS", 2 * each)
    parts = list[tuple[int, bool]]()

    def counted(some: Sequence[uuid.UUID]) -> None:
        parts.append((Step.objects.filter(run__in=some).count(), run in some))
        removal.remove(some)

    monkeypatch.setattr(deleting, "remove", counted)
    assert retention.delete_due(60) == 8
    assert parts[:3] == [(2 * each, False)] * 3
    assert parts[-1][1]
    assert not any(topmost for _, topmost in parts[:-1])


def test_a_run_with_more_steps_than_a_part_goes_alone(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picking, "MOST_STEPS", 0)
    publish("child", CHILD)
    run = old_workflow(MAP, {"items": [{"word": str(n)} for n in range(3)]})
    other = old_action()
    assert retention.delete_due(60) == 5
    assert there(run, other) == set()


def test_runs_that_are_deleted_one_by_one_keep_to_the_time(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [old_action(n) for n in range(4)]

    def refused(some: Sequence[uuid.UUID]) -> None:
        if len(some) > 1:
            raise IntegrityError("somebody needs one of them")
        removal.remove(some)

    monkeypatch.setattr(deleting, "remove", refused)
    [wanted] = retention.due()
    assert deleting._one_by_one(wanted, Pass(), "system", 0.0) == (1, True)
    assert len(there(*runs)) == 3
    assert retention.delete_due(60) == 3


def test_a_long_export_and_removal_give_signs_of_life(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = list[int]()
    monkeypatch.setattr(signs, "_ways", [lambda: given.append(1)])
    monkeypatch.setattr(lines, "FETCH", 1)
    publish("child", CHILD)
    old_workflow(MAP, {"items": [{"word": str(n)} for n in range(5)]})
    steps = Step.objects.count()
    assert retention.delete_due(60) == 6
    assert len(given) > steps + len(removal._ALL)


def test_a_housekeeper_that_deletes_is_not_taken_for_stuck(archive: Path) -> None:
    assert pulse.sign in signs._ways


def test_runs_that_have_to_stay_are_not_read_again_every_round(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish("child", CHILD)
    kept = old_parents(3)
    Workflow.objects.filter(name="child").update(keep_days=365)
    places, take = list[Any](), picking.take

    def seen(wanted: Any, after: Any, families: int) -> Any:
        places.append((wanted.name, after))
        return take(wanted, after, families)

    monkeypatch.setattr(picking, "take", seen)
    memory = Passes()
    for _ in range(2):
        assert retention.delete_due(60, passes=memory) == 0
    last = Run.objects.get(pk=kept[-1])
    assert [place for name, place in places if name == "story"] == [picking.START, (last.finished_at, last.pk)]
    monkeypatch.setattr(passes, "AGAIN_SECONDS", 0.0)
    retention.delete_due(60, passes=memory)
    assert places[-1][1] == picking.START
    monkeypatch.setattr(passes, "AGAIN_SECONDS", 3_600.0)
    Workflow.objects.filter(name="child").update(keep_days=1)
    assert retention.delete_due(60, passes=memory) == 6, "another policy is looked at again"


def test_what_comes_behind_runs_that_have_to_stay_is_deleted(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picking, "PAGE", 2)
    publish("child", CHILD)
    *kept, free = old_parents(6)
    Workflow.objects.filter(name="child").update(keep_days=365)
    aged(*family(free)[1:], age=timedelta(days=365))
    memory = Passes()
    assert retention.delete_due(60, passes=memory) == 2
    assert there(*kept, free) == set(kept)


def test_a_run_that_cannot_be_deleted_is_still_told_in_later_rounds(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = old_action()

    def refused(_: Sequence[uuid.UUID]) -> None:
        raise IntegrityError("somebody needs it")

    monkeypatch.setattr(deleting, "remove", refused)
    memory = Passes()
    for _ in range(2):
        with pytest.raises(retention.RunsKept, match=str(run)):
            retention.delete_due(60, passes=memory)


def test_a_run_that_could_not_be_deleted_and_is_erased_is_told_no_more(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = old_action()

    def refused(_: Sequence[uuid.UUID]) -> None:
        raise IntegrityError("somebody needs it")

    memory = Passes()
    with monkeypatch.context() as needed:
        needed.setattr(deleting, "remove", refused)
        with pytest.raises(retention.RunsKept, match=str(run)):
            retention.delete_due(60, passes=memory)
    operations.erase(run, actor="user:ada", reason="asked")
    assert retention.delete_due(60, passes=memory) == 0
    assert memory._found == {}


def test_of_several_that_could_not_be_deleted_only_those_that_are_left_are_told(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    erased, left = old_action(), old_action()

    def refused(_: Sequence[uuid.UUID]) -> None:
        raise IntegrityError("somebody needs it")

    monkeypatch.setattr(deleting, "remove", refused)
    memory = Passes()
    with pytest.raises(retention.RunsKept, match=str(erased)):
        retention.delete_due(60, passes=memory)
    operations.erase(erased, actor="user:ada", reason="asked")
    with pytest.raises(retention.RunsKept, match=str(left)) as raised:
        retention.delete_due(60, passes=memory)
    assert str(erased) not in str(raised.value)


def test_nothing_is_told_of_no_run_at_all(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_action()
    found = Pass()
    monkeypatch.setattr(picking, "skip", lambda *_: (None, picking.Batch([], picking.START, last=True)))
    assert not deleting._skip(policy.due()[0], found, "somebody needs it")
    assert found.refused == {}


def test_a_chain_that_somebody_writes_keeps_no_other_definition_waiting(archive: Path) -> None:
    start_workflow(publish("story", CHILD), {"word": "hi"})
    work_until_idle()
    busy, run = old_action(), Run.objects.get(name="story").pk
    aged(run)
    chain = Run.objects.select_related("action_version").get(pk=busy).action_version
    assert chain is not None
    settings = connection.get_connection_params()
    settings.pop("cursor_factory"), settings.pop("context")
    with psycopg.connect(**settings) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [chain.action_id.int >> 65])
        assert retention.delete_due(60) == 1
    assert there(busy, run) == {busy}
    assert retention.delete_due() == 1
