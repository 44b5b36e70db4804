"""What a batch of starts takes as it is, without its serializer."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflows.serializers import StartBody
from workflows.start_serializers import StartItem, is_plain

TEXTS = st.text(max_size=6) | st.sampled_from(["", " a", "a\n", "\u3000", "x" * 201, "1.0.0", "k-1"])
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "input": st.none() | st.integers() | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
        "version": TEXTS | st.none() | st.integers(),
        "title": TEXTS | st.booleans(),
        "tags": st.lists(TEXTS | st.integers(), max_size=3) | st.just(["x"] * 21) | st.text(max_size=2),
        "key": TEXTS | st.none(),
        "other": st.just(1),
    },
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ITEMS)
def test_what_is_taken_as_it_is_would_come_out_of_the_serializer_unchanged(given_item: dict[str, Any]) -> None:
    if is_plain(given_item):
        form = StartItem(data=given_item)
        assert form.is_valid(), form.errors
        meant = {"input": {}, "title": "", "tags": [], **given_item}
        assert dict(form.validated_data) == meant
        if "key" not in given_item:
            assert StartBody().run_validation(given_item) == meant
