"""What the builder writes is drafted, published and run like any document."""

from dotdo_site.demo import examples
from tests.integration.examples.conftest import ACTOR, World
from workflows import operations
from workflows.build import Workflow, call, case, expr, for_each, otherwise, set_, switch, try_
from workflows.models import WorkflowVersion

CHARGES = (
    Workflow("examples", "charge-all", "1.0.0", title="Charge all")
    .input(schema={"type": "object", "required": ["customer", "cards"]})
    .do(
        try_(
            "charges",
            for_each(
                "each",
                ".cards",
                each="card",
                do=[
                    call(
                        "charge",
                        "charge-card",
                        customer=expr("$workflow.input.customer"),
                        card=expr("$card"),
                        amount=100,
                    ).undo("refund-charge", charge=expr("$output.id"))
                ],
            ),
            set_("all", charged=True),
        )
        .catch(set_("none", charged=False, because=expr("$error.title")))
        .saga(),
        switch("how", case("well", ".charged", "end"), otherwise("note")),
        call("note", "datastore.set", key="trouble", value=expr(".")).output("$input"),
    )
)


def test_a_workflow_that_was_built_is_published_and_runs(world: World) -> None:
    draft = operations.draft_workflow(CHARGES.to_yaml(), actor=ACTOR)
    operations.publish_workflow(draft.id, actor=ACTOR)
    good = world.run(world.start("charge-all", {"customer": "usr_1", "cards": ["tok_1", "tok_2"]}))
    assert (good.state, good.output) == ("succeeded", {"charged": True})
    bad = world.run(world.start("charge-all", {"customer": "usr_1", "cards": ["tok_3", "tok_declined"]}))
    assert (bad.state, bad.output) == ("succeeded", {"charged": False, "because": "card_declined"})
    assert [len(world.ask(f"/payments/{what}")) for what in ("charges", "refunds")] == [3, 1]


def test_an_example_that_went_through_the_builder_is_the_version_that_is_published(world: World) -> None:
    for path in examples.workflows():
        version = operations.draft_workflow(Workflow.from_yaml(path.read_text()).to_yaml(), actor=ACTOR)
        assert version.state == "published"
    assert not WorkflowVersion.objects.filter(state="draft").exists()
