"""The page about webhooks says what the code does."""

from django.conf import settings

from tests.integration.docs.blocks import code, table, text_of
from workflows import cloudevents, signatures
from workflows.models import Endpoint
from workflows.operations import deliveries, webhooks
from workflows.views import hooks

PAGE = "docs/webhooks.md"


def test_the_styles_and_effects_are_those_of_the_code() -> None:
    assert {code(cell)[0] for cell in table(PAGE, "style")} == set(signatures.STYLES) == set(Endpoint.Style.values)
    assert {code(cell)[0] for cell in table(PAGE, "effect")} == set(Endpoint.Effect.values)


def test_the_limits_are_those_of_the_code() -> None:
    text = " ".join(text_of(PAGE).split())
    for words in (
        f"an event has up to {cloudevents.MAX_BYTES // 1024} KiB",
        f"may be {signatures.TOLERANCE_SECONDS // 60} minutes off",
        f"more than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2} MiB; more than {hooks.KNOCKS.limit:,} requests",
        f"{deliveries.STRANGERS.limit} a minute for each endpoint",
        f"type `{webhooks.HOOK_TYPE}`",
    ):
        assert words in text
