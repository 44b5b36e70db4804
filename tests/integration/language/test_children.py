"""Runs that workflows start: one, or one for each item of a list."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from tests.support.documents import publish
from tests.support.engine import finished, shown, start_workflow, work_until_idle
from workflows import operations, queries, worker
from workflows.functions import mapping
from workflows.models import Run, Step

pytestmark = pytest.mark.usefixtures("handlers")

CHILD = "do: [{call: {call: test-echo, with: {value: '${ {doubled: (.n * 2)} }'}}}]"
PICKY = "input: {schema: {document: {type: object, required: [n], properties: {n: {type: integer}}}}}\n" + CHILD
FAILS = "do: [{call: {call: test-refuses, with: {code: '${ .code }'}}}]"
WAITS = "do: [{nap: {wait: {days: 1}}}]"


def children(run_id: uuid.UUID) -> list[Run]:
    steps = Step.objects.filter(run=run_id).values("pk")
    return list(Run.objects.filter(parent_step__in=steps).order_by("parent_index"))


def run(body: str, value: Any = None) -> queries.RunDetail:
    return finished(start_workflow(publish(f"parent-{uuid.uuid4().hex[:6]}", body), value))


def child_task(name: str = "child", value: str = "'${ . }'", more: str = "") -> str:
    return f"{{run: {{workflow: {{namespace: tests, name: {name}, version: latest, input: {value}}}{more}}}}}"


def test_a_child_gets_its_input_and_its_output_is_the_tasks() -> None:
    publish("child", CHILD)
    sub = child_task(value="{n: '${ .n + 1 }'}")
    detail = run(f"do: [{{sub: {sub}}}, {{last: {{set: '${{ .doubled }}'}}}}]", {"n": 4})
    assert (detail.state, detail.output) == ("succeeded", 10)
    (child,) = children(detail.id)
    assert (child.trigger, child.actor, child.depth, child.root) == ("workflow", f"run:{detail.id}", 1, detail.id)


def test_a_child_that_is_not_awaited_goes_its_own_way_and_the_data_passes_through() -> None:
    publish("child", WAITS)
    detail = run(f"do: [{{sub: {child_task(more=', await: false')}}}]", {"n": 4})
    assert (detail.state, detail.output) == ("succeeded", {"n": 4})
    assert children(detail.id)[0].state == "waiting"


def test_a_waiting_parent_holds_no_worker_and_cancelling_it_cancels_what_it_started() -> None:
    publish("grandchild", WAITS)
    publish("child", f"do: [{{sub: {child_task('grandchild')}}}]")
    detail = run(f"do: [{{sub: {child_task()}}}]")
    assert (detail.state, detail.reason) == ("waiting", "child")
    operations.cancel(detail.id, actor="user:ann", reason="enough")
    assert set(Run.objects.values_list("state", flat=True)) == {"cancelled"}
    assert list(Run.objects.order_by("depth").values_list("depth", "root")) == [
        (0, None), (1, detail.id), (2, detail.id)]  # fmt: skip


def test_a_childs_error_is_the_parents_and_can_be_caught() -> None:
    publish("child", FAILS)
    detail = run(
        f"do: [{{t: {{try: [{{sub: {child_task(value='{code: declined}')}}}], "
        "catch: {as: e, do: [{x: {set: '${ $e }'}}]}}}]"
    )
    assert detail.state == "succeeded"
    assert detail.output["title"] == "declined"
    assert detail.output["instance"] == "/do/0/t/try/0/sub"
    (child,) = children(detail.id)
    assert str(child.pk) in detail.output["detail"]
    assert child.state == "cancelled"  # caught, it closes for good


def test_a_child_that_is_repaired_lets_its_parent_go_on(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    publish("child", "do: [{call: {call: test-outside, with: {file: '${ .file }', fail: 4}}}]")
    detail = run(f"do: [{{sub: {child_task()}}}]", {"file": str(file)})
    assert detail.state == "failed"
    (child,) = children(detail.id)
    assert child.state == "failed"
    operations.retry(child.pk, actor="user:ann", reason="up again")
    again = finished(detail.id)
    assert (again.state, again.output) == ("succeeded", {"attempt": 5})
    assert Run.objects.count() == 2


def test_a_retry_of_the_parent_retries_the_child_that_failed(tmp_path: Path) -> None:
    publish("child", "do: [{call: {call: test-outside, with: {file: '${ .file }', fail: 4}}}]")
    detail = run(f"do: [{{sub: {child_task()}}}]", {"file": str(tmp_path / "calls")})
    operations.retry(detail.id, actor="user:ann", reason="up again")
    assert finished(detail.id).output == {"attempt": 5}


def test_a_cancelled_child_is_an_error_of_the_parent() -> None:
    publish("child", WAITS)
    detail = run(f"do: [{{sub: {child_task()}}}]")
    operations.cancel(children(detail.id)[0].pk, actor="user:ann", reason="no")
    again = finished(detail.id)
    assert again.state == "failed"
    assert again.error["title"] == "cancelled"


def test_an_input_that_does_not_fit_the_child_is_an_error_without_a_run() -> None:
    publish("child", PICKY)
    detail = run(f"do: [{{sub: {child_task(value='{n: a}')}}}]")
    assert detail.state == "failed"
    assert "does not fit child" in detail.error["detail"]
    assert children(detail.id) == []


def test_a_workflow_that_starts_itself_ends_at_the_limit() -> None:
    publish("parent", f"do: [{{sub: {child_task('parent')}}}]")
    top = start_workflow("parent", {})
    work_until_idle(30)
    assert shown(top).state == "failed"
    assert Run.objects.count() == 33
    deepest = shown(Run.objects.get(depth=32).pk)
    assert "32 are allowed" in deepest.error["detail"]


def two_files(folder: Path) -> list[dict[str, str]]:
    return [{"file": str(folder / str(n))} for n in range(2)]


def mapped(more: str = "", name: str = "child", items: str = "'${ .items }'") -> str:
    return f"do: [{{each: {{call: map, with: {{items: {items}, workflow: {{name: {name}}}{more}}}}}}}]"


def test_a_map_returns_the_outputs_in_the_order_of_the_items() -> None:
    publish("child", CHILD)
    detail = run(mapped(", maxConcurrency: 3"), {"items": [{"n": n} for n in range(25)]})
    assert (detail.state, detail.output) == ("succeeded", [{"doubled": 2 * n} for n in range(25)])
    assert [child.parent_index for child in children(detail.id)] == list(range(25))


def test_no_more_children_are_open_than_allowed() -> None:
    publish("child", WAITS)
    detail = run(mapped(", maxConcurrency: 4"), {"items": [{}] * 9})
    assert (detail.state, detail.reason) == ("waiting", "child")
    assert len(children(detail.id)) == 4
    step = Step.objects.get(run=children(detail.id)[0].pk)
    operations.fire_timer(step.run_id, step.key, actor="user:ann", reason="go on")
    work_until_idle()
    assert len(children(detail.id)) == 5
    operations.cancel(detail.id, actor="user:ann", reason="enough")
    assert Run.objects.exclude(state__in=["cancelled", "succeeded"]).count() == 0


def test_an_empty_map_is_an_empty_list() -> None:
    publish("child", CHILD)
    assert run(mapped(items="[]")).output == []


def test_the_first_failure_of_a_map_parks_it_and_a_repair_lets_it_go_on(tmp_path: Path) -> None:
    publish("child", "do: [{call: {call: test-outside, with: {file: '${ .file }', fail: '${ .fail }'}}}]")
    items = [{"file": str(tmp_path / str(n)), "fail": 4 if n == 2 else 0} for n in range(6)]
    detail = run(mapped(", maxConcurrency: 2"), {"items": items})
    assert detail.state == "failed"
    failed = Run.objects.get(state="failed", depth=1)
    assert failed.parent_index == 2
    operations.retry(failed.pk, actor="user:ann", reason="up again")
    again = finished(detail.id)
    assert again.output == [{"attempt": 5 if n == 2 else 1} for n in range(6)]
    assert Run.objects.count() == 7


def test_a_caught_failure_of_a_map_cancels_the_children_that_are_open() -> None:
    publish("child", "do: [{s: {switch: [{bad: {when: .bad, then: no}}, {good: {then: nap}}]}}, "
                     "{no: {call: test-refuses, with: {}, then: end}}, {nap: {wait: {days: 1}}}]")  # fmt: skip
    body = "do: [{t: {try: [{each: {call: map, with: {items: '${ .items }', workflow: {name: child}}}}], catch: {}}}]"
    detail = run(body, {"items": [{"bad": False}, {"bad": True}, {"bad": False}]})
    assert detail.state == "succeeded"
    assert [child.state for child in children(detail.id)] == ["cancelled"] * 3


def test_a_map_that_collects_puts_errors_in_the_place_of_outputs() -> None:
    publish(
        "child",
        PICKY.replace("do: [", "do: [{s: {switch: [{bad: {when: .n == 3, then: no}}, {good: {then: call}}]}}, "
                               "{no: {call: test-refuses, with: {code: odd}, then: end}}, "),
    )  # fmt: skip
    items: list[Any] = [{"n": 1}, {"n": 3}, {"n": "x"}, {"n": 2}, {"m": 1}]
    detail = run(mapped(", onError: collect, maxConcurrency: 1"), {"items": items})
    assert detail.state == "succeeded"
    one, failed, unfit, two, last = detail.output
    assert (one, two) == ({"doubled": 2}, {"doubled": 4})
    assert failed["error"]["title"] == "odd"
    assert unfit["error"]["type"].endswith("/validation")
    assert "item 2 does not fit child" in unfit["error"]["detail"]
    assert "item 4" in last["error"]["detail"]
    assert [child.state for child in children(detail.id)] == ["succeeded", "failed", "succeeded"]


def test_a_collected_child_stays_a_dead_letter_and_its_repair_changes_nothing_above(tmp_path: Path) -> None:
    publish("child", "do: [{call: {call: test-outside, with: {file: '${ .file }', fail: 4}}}]")
    collected = mapped(", onError: collect, maxConcurrency: 1")
    detail = run(f"{collected[:-1]}, {{then: {{set: '${{ map(.error.title) }}'}}}}]", {"items": two_files(tmp_path)})
    assert (detail.state, detail.output) == ("succeeded", ["unavailable", "unavailable"])
    first, second = children(detail.id)
    assert [shown(child.pk).label for child in (first, second)] == ["dead_letter"] * 2
    events = [event.kind for event in queries.audit(detail.id)]
    operations.retry(first.pk, actor="user:ann", reason="up again")
    work_until_idle()
    assert [child.state for child in children(detail.id)] == ["succeeded", "failed"]
    after = shown(detail.id)
    assert (after.state, after.output, [event.kind for event in queries.audit(detail.id)]) == (
        "succeeded", ["unavailable", "unavailable"], events)  # fmt: skip


def test_a_collected_child_that_is_repaired_before_the_map_has_ended_gives_its_output(tmp_path: Path) -> None:
    publish("child", "do: [{s: {switch: [{naps: {when: .nap, then: nap}}, {good: {then: call}}]}}, "
                     "{call: {call: test-outside, with: {file: '${ .file }', fail: 4}, then: end}}, "
                     "{nap: {wait: {days: 1}}}]")  # fmt: skip
    items = [{"file": str(tmp_path / "calls")}, {"nap": True}, {"nap": True}]
    detail = run(mapped(", onError: collect, maxConcurrency: 2"), {"items": items})
    failed, *napping = children(detail.id)
    assert (detail.state, failed.state, len(napping)) == ("waiting", "failed", 2)  # its place was given to another
    operations.retry(failed.pk, actor="user:ann", reason="up again")
    work_until_idle()
    for child in napping:
        step = Step.objects.get(run=child.pk, state="ready", kind="wait")
        operations.fire_timer(child.pk, step.key, actor="user:ann", reason="go on")
    again = finished(detail.id)
    assert (again.state, again.output[0]) == ("succeeded", {"attempt": 5})


def test_a_map_whose_collected_child_is_taken_up_while_it_ends_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("child", "do: [{call: {call: test-outside, with: {file: '${ .file }', fail: 4}}}]")
    counted = mapping._still_open

    def retried_behind_the_count(step: uuid.UUID) -> tuple[int | None, int]:
        found = counted(step)
        failed = Run.objects.filter(parent_step=step, state="failed").first()
        if failed is not None:
            Run.objects.filter(pk=failed.pk).update(state="running")
            left.append(failed.pk)
        return found

    left: list[uuid.UUID] = []
    monkeypatch.setattr(mapping, "_still_open", retried_behind_the_count)
    detail = run(mapped(", onError: collect"), {"items": [{"file": str(tmp_path / "calls")}]})
    assert (detail.state, detail.reason, len(left)) == ("waiting", "child", 1)


def test_an_item_that_does_not_fit_is_found_before_anything_has_begun() -> None:
    publish("child", PICKY)
    detail = run(mapped(), {"items": [{"n": 1}, {"n": "x"}]})
    assert detail.state == "failed"
    assert detail.error["type"].endswith("/validation")
    assert "item 1 does not fit child" in detail.error["detail"]
    assert children(detail.id) == []


def test_a_workflow_named_at_run_time_is_looked_for_in_its_namespace() -> None:
    publish("child", CHILD)
    workflow = "{name: '${ .name }', namespace: '${ .space }'}"
    body = f"do: [{{each: {{call: map, with: {{items: [{{n: 1}}], workflow: {workflow}}}}}}}]"
    assert run(body, {"name": "child", "space": "tests"}).output == [{"doubled": 2}]
    assert "in the namespace other" in run(body, {"name": "child", "space": "other"}).error["detail"]
    assert "called nobody" in run(body, {"name": "nobody", "space": "tests"}).error["detail"]


def test_outputs_that_are_too_large_together_are_refused_with_what_to_do() -> None:
    publish("child", "do: [{big: {set: {text: '${ [range(30000)] | map(\"0123456789\") | add }'}}}]")
    detail = run(mapped(), {"items": [{}] * 4})
    assert detail.state == "failed"
    assert "give out less" in detail.error["detail"]


def test_a_map_keeps_the_version_that_it_was_published_with() -> None:
    publish("child", WAITS)
    detail = run(mapped(", maxConcurrency: 1"), {"items": [{}, {}]})
    publish("child", CHILD, "2.0.0")
    step = Step.objects.get(run=children(detail.id)[0].pk)
    operations.fire_timer(step.run_id, step.key, actor="user:ann", reason="go on")
    work_until_idle()
    versions = [child.workflow_version.version for child in children(detail.id) if child.workflow_version]
    assert versions == ["1.0.0", "1.0.0"]


def test_children_that_end_at_once_on_many_workers_are_all_counted() -> None:
    publish("child", CHILD)
    publish("parent", mapped(", maxConcurrency: 20"))
    top = start_workflow("parent", {"items": [{"n": n} for n in range(120)]})
    stop = threading.Event()

    def work(_: int) -> None:
        try:
            while not stop.is_set():
                worker.work()
                stop.wait(0.02)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(work, n) for n in range(4)]
        for _ in range(1_500):
            if Run.objects.filter(pk=top, state__in=["succeeded", "failed"]).exists():
                break
            stop.wait(0.02)
        stop.set()
        for future in futures:
            future.result(30)
    assert shown(top).output == [{"doubled": 2 * n} for n in range(120)]
    assert Run.objects.filter(parent_step__isnull=False).count() == 120


def test_a_wait_until_rests_without_a_worker() -> None:
    body = "do: [{nap: {call: wait-until, with: {at: '${ now + 1.5 | todate }'}}}, {a: {set: {b: 1}}}]"
    run_id = start_workflow(publish("parent", body), None)
    work_until_idle(patience=2.0)  # `todate` gives whole seconds: it is 0.5 to 1.5 s away
    assert (shown(run_id).state, shown(run_id).output) == ("succeeded", {"b": 1})
    far = run("do: [{nap: {call: wait-until, with: {at: '2999-01-01T00:00:00Z'}}}]")
    assert far.state == "failed"
