"""A run over its definition: what failed counts most, loops have a cell a round, what was not reached has no label."""

from typing import Any
from uuid import uuid4

import pytest
import yaml

from workflows.graph import folding, outline
from workflows.graph.outline import Block
from workflows.graph.standing import MOST_CELLS, Note, StepMark, ref_of, stand, walk

LOOP = """
- lines: {for: {in: "${ . }"}, do: [{price: {call: x}}]}
- pay:
    try: [{charge: {call: x}}]
    catch: {do: [{sorry: {call: x}}]}
- how: {switch: [{a: {when: .a, then: one}}, {b: {then: two}}]}
- one: {set: {}, then: two}
- two: {set: {}}
"""


def read(text: str = LOOP) -> Block:
    return outline.read({"do": yaml.safe_load(text)}, {})


def step(key: str, label: str = "succeeded", **more: Any) -> StepMark:
    given: dict[str, Any] = {
        "ref": ref_of(key),
        "kind": "call",
        "function": "x:1.0.0",
        "attempts": 1,
        "seconds": 2.0,
    } | more
    return StepMark(id=uuid4(), key=key, label=label, **given)


@pytest.mark.parametrize(
    ("key", "ref"),
    [
        ("/do/0/a", "/do/0/a"),
        ("/do/0/a[2]", "/do/0/a"),
        ("/do/0/lines@11/do/0/price[1]", "/do/0/lines/do/0/price"),
        ("/do/1/pay@2/try/0/charge", "/do/1/pay/try/0/charge"),
        ("/do/1/pay@c/catch/do/0/sorry", "/do/1/pay/catch/do/0/sorry"),
        ("/do/1/f/fork/branches/0/b/do/0/x", "/do/1/f/fork/branches/0/b/do/0/x"),
        ("/do/1/pay@u", "/do/1/pay"),
    ],
)
def test_a_key_without_its_marks_is_the_pointer_of_its_task(key: str, ref: str) -> None:
    assert ref_of(key) == ref


def test_the_round_that_failed_is_the_one_that_is_shown() -> None:
    rounds = [step(f"/do/0/lines@{n}/do/0/price", "dead_letter" if n == 1 else "succeeded") for n in range(3)]
    found = stand(read(), rounds, [Note("/do/0/lines", f"iteration {n} of 5") for n in (1, 2, 3)])
    price = found.of("/do/0/lines/do/0/price")
    assert (price.step, price.label, price.times, price.seconds) == (rounds[1].id, "dead_letter", 3, 2.0)
    lines = found.of("/do/0/lines")
    assert (lines.label, lines.rounds, lines.cells) == (
        "dead_letter", (3, 5), ("succeeded", "dead_letter", "succeeded", "", ""),
    )  # fmt: skip


def test_rounds_of_a_thousand_share_few_cells_and_a_failure_is_in_one_of_them() -> None:
    rounds = [step(f"/do/0/lines@{n}/do/0/price", "dead_letter" if n == 500 else "succeeded") for n in range(1000)]
    cells = stand(read(), rounds, [Note("/do/0/lines", "iteration 1000 of 1000")]).of("/do/0/lines").cells
    assert len(cells) <= MOST_CELLS
    assert cells.count("dead_letter") == 1


def test_only_the_latest_visit_of_a_loop_is_in_its_cells() -> None:
    rounds = [step("/do/0/lines@0/do/0/price", "dead_letter"), step("/do/0/lines[1]@0/do/0/price")]
    notes = [Note("/do/0/lines", "iteration 1 of 1"), Note("/do/0/lines[1]", "iteration 1 of 2")]
    assert stand(read(), rounds, notes).of("/do/0/lines").cells == ("succeeded", "")


def test_a_fault_that_was_caught_leaves_its_block_whole() -> None:
    steps = [step("/do/1/pay@1/try/0/charge", "caught"), step("/do/1/pay@c/catch/do/0/sorry")]
    found = stand(read(), steps, [Note("/do/1/pay", "caught declined")])
    assert found.of("/do/1/pay").label == "succeeded"
    assert found.of("/do/1/pay/try/0/charge").label == "caught"


def test_the_tries_of_a_block_are_counted() -> None:
    steps = [step("/do/1/pay@1/try/0/charge", "caught"), step("/do/1/pay@2/try/0/charge", "running", seconds=None)]
    found = stand(read(), steps, [Note("/do/1/pay", "caught timeout, retry 1 in 5 s")])
    assert (found.of("/do/1/pay").attempts, found.of("/do/1/pay").label) == (2, "running")
    assert found.of("/do/1/pay/try/0/charge").step == steps[1].id


def test_a_switch_says_which_way_was_taken_and_the_other_was_not_reached() -> None:
    found = stand(read(), [], [Note("/do/2/how", "took b"), Note("/do/2/how", ""), Note("/do/4/two", "")])
    assert found.taken == {("/do/2/how", "b"): 1}
    assert [found.of(f"/do/{place}").label for place in ("2/how", "3/one", "4/two")] == ["succeeded", "", "succeeded"]


def test_what_a_condition_left_out_is_skipped() -> None:
    assert stand(read(), [], [Note("/do/4/two", "skipped")]).of("/do/4/two").label == "skipped"


def test_what_was_undone_says_so_and_leads_to_what_it_did() -> None:
    did = step("/do/1/pay@1/try/0/charge")
    undo = step("/do/1/pay@1/try/0/charge#undo", "undone", kind="undo", ref="/do/1/pay/try/0/charge")
    found = stand(read(), [did, undo], []).of("/do/1/pay/try/0/charge")
    assert (found.label, found.step) == ("undone", did.id)


def test_an_undo_that_failed_is_what_is_shown() -> None:
    did = step("/do/1/pay@1/try/0/charge")
    undo = step("/do/1/pay@1/try/0/charge#undo", "dead_letter", kind="undo", ref="/do/1/pay/try/0/charge")
    found = stand(read(), [did, undo], []).of("/do/1/pay/try/0/charge")
    assert (found.label, found.step) == ("dead_letter", undo.id)


def test_what_only_serves_the_engine_is_no_state_of_a_task() -> None:
    steps = [step("/do/0/lines#x", "pending", kind=kind, ref="/do/0/lines") for kind in ("timer", "join", "task")]
    assert stand(read(), steps, []).of("/do/0/lines").label == ""


def names(block: Block) -> list[str]:
    return [node.name or f"{len(node.hidden)} hidden" for node in block.nodes]


def test_a_small_graph_is_drawn_whole() -> None:
    assert names(folding.folded(read(), None, "", ())) == names(read())


def test_many_branches_fold_but_not_the_one_that_failed() -> None:
    block = read("[{f: {fork: {branches: [" + ",".join(f"{{b{n}: {{call: x}}}}" for n in range(8)) + "]}}}]")
    found = stand(block, [step("/do/0/f/fork/branches/6/b6", "dead_letter")], [])
    lanes = folding.folded(block, found, "", ()).nodes[0].lanes
    assert [lane.name for lane in lanes] == ["b0", "b1", "b6", ""]
    assert len(lanes[-1].block.nodes[0].hidden) == 5
    assert len(folding.folded(block, found, "", ("/do/0/f",)).nodes[0].lanes) == 8


def large() -> Block:
    return read("[" + ",".join(f"{{t{n}: {{call: x}}}}" for n in range(400)) + "]")


def test_a_large_graph_shows_its_ends_what_failed_and_what_was_chosen() -> None:
    found = stand(large(), [step("/do/200/t200", "dead_letter")], [])
    drawn = folding.folded(large(), found, "/do/300/t300", ())
    ends = [f"t{n}" for n in range(5)], [f"t{n}" for n in range(395, 400)]
    middle = ["195 hidden", "t200", "99 hidden", "t300", "94 hidden"]
    assert names(drawn) == [*ends[0], *middle, *ends[1]]


def test_a_fold_opens_by_its_own_address() -> None:
    closed = folding.folded(large(), None, "", ())
    fold = next(node for node in closed.nodes if node.kind == folding.FOLD)
    assert names(folding.folded(large(), None, "", (fold.ref,))) == names(large())


def test_a_group_of_a_large_graph_hides_what_is_in_it_until_it_is_opened() -> None:
    inner = ",".join(f"{{i{n}: {{call: x}}}}" for n in range(350))
    block = read(f"[{{a: {{call: x}}}}, {{g: {{do: [{inner}]}}}}]")
    closed = folding.folded(block, None, "", ()).nodes[1].body
    assert closed is not None
    assert [len(node.hidden) for node in closed.nodes] == [350]
    opened = folding.folded(block, None, "", ("/do/1/g",)).nodes[1].body
    assert opened is not None
    assert len(opened.nodes) == 11


def test_every_task_is_drawn_or_hidden_once() -> None:
    block = large()
    drawn = folding.folded(block, None, "", ())
    found = [ref for node in walk(drawn) for ref in (node.hidden or (node.ref,))]
    assert sorted(found) == sorted(node.ref for node in walk(block))
