"""What goes out is what the serializer makes of it, also where its fields are not asked."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rest_framework import serializers

from dotdo_site.lib import rest


class Upper(serializers.CharField):
    """A field that changes what it is given."""

    def to_representation(self, value: Any) -> str:
        """Return the text in capitals."""
        return str(value).upper()


class Example(serializers.Serializer[Any]):
    """One field of each sort that may be taken as it is, and some that may not."""

    text = serializers.CharField(source="t")
    word = serializers.ChoiceField(choices=["a", "b"])
    whole = serializers.IntegerField()
    truth = serializers.BooleanField()
    anything = serializers.JSONField()
    deep = serializers.CharField(source="inner.t")
    upper = Upper()
    hidden = serializers.CharField(write_only=True)


NUMBERS = st.none() | st.booleans() | st.integers()
VALUES = {
    "t": st.text() | NUMBERS,
    "word": st.sampled_from(["a", "b", "c", "", None, 1]),
    "whole": NUMBERS,
    "truth": NUMBERS | st.sampled_from(["yes", "no"]),
    "anything": NUMBERS | st.lists(NUMBERS) | st.dictionaries(st.text(), NUMBERS),
    "inner": st.builds(SimpleNamespace, t=st.text() | NUMBERS),
    "upper": st.text() | NUMBERS,
}


@given(st.fixed_dictionaries(VALUES))
def test_an_object_is_represented_as_the_serializer_does(values: dict[str, Any]) -> None:
    instance = SimpleNamespace(**values)
    assert repr(rest.represent(Example, instance)) == repr(Example().to_representation(instance))
