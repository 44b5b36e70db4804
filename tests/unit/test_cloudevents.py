"""Envelopes and bodies from strangers: an answer for everything, an exception for nothing."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dotdo_site.lib.problems import NotTaken
from dotdo_site.lib.strict_json import BadJSON
from workflows import bodies, cloudevents
from workflows.cloudevents import RULES

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(st.sampled_from([*RULES, "data", "ext", "Ext", "e_x", ""]) | st.text(max_size=25), JSON)
GOOD: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


@given(JSON | ATTRIBUTES)
def test_every_value_is_judged_and_every_problem_has_a_place(value: Any) -> None:
    for problem in cloudevents.problems(value):
        assert problem.pointer == "" or problem.pointer.startswith("/")
        assert problem.message


@given(ATTRIBUTES)
def test_what_is_found_fit_has_what_an_event_must_have(attributes: dict[str, Any]) -> None:
    event = GOOD | attributes
    if not cloudevents.problems(event):
        tidied = cloudevents.tidy(event)
        assert all(isinstance(tidied[name], str) and tidied[name] for name in GOOD)
        assert not any(value is None for name, value in tidied.items() if name != "data")
        assert len(tidied["type"]) <= 255
        assert cloudevents.problems(tidied) == []


def test_null_means_absent_except_as_data() -> None:
    assert cloudevents.tidy(GOOD | {"subject": None, "data": None}) == GOOD | {"data": None}
    assert cloudevents.problems(GOOD | {"subject": None, "data": None}) == []


TYPES = st.sampled_from(["application/json", bodies.FORM, "text/plain", "multipart/form-data", "", "x/y; a=b"])


@given(TYPES | st.text(max_size=20), st.binary(max_size=60) | st.text(max_size=30).map(str.encode), st.booleans())
def test_every_body_is_read_or_refused(content_type: str, body: bytes, unpack: bool) -> None:
    try:
        found = bodies.content(content_type, body, unpack=unpack)
    except (BadJSON, NotTaken):
        return
    assert found.keys() <= {"data", "datacontenttype"}
    if "application/json" in found.values() or not found:
        assert cloudevents.problems(GOOD | found) == []
