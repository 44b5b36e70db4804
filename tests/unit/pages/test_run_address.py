"""The address of a run page: what is chosen is kept together, and nonsense is left out."""

from urllib.parse import parse_qs

from django.http import QueryDict

from workflows.views.run_address import MOST_OPENED, Address


def kept(query: str) -> dict[str, list[str]]:
    return parse_qs(query.lstrip("?"))


def test_another_view_keeps_the_step_and_leaves_what_belongs_to_the_former_view() -> None:
    address = Address.read(QueryDict("view=logs&step=s1&attempt=2&level=error&of=s1&after=c&list=status%3Dfailed"))
    expected = {"view": ["io"], "step": ["s1"], "attempt": ["2"], "list": ["status=failed"]}
    assert kept(address.at("io")) == expected
    assert kept(address.at("timeline")) == {key: value for key, value in expected.items() if key != "view"}


def test_another_step_begins_at_its_last_attempt_and_stands_last_in_the_address() -> None:
    address = Address.read(QueryDict("step=s1&attempt=2&diff=input&fold=0&open=/do/1/a&open=/do/2/b"))
    assert kept(address.step("s2")) == {"fold": ["0"], "open": ["/do/1/a", "/do/2/b"], "step": ["s2"]}
    assert address.step().endswith("&step=")


def test_a_loop_is_opened_and_closed_by_its_own_link() -> None:
    address = Address.read(QueryDict("open=/do/1/a"))
    assert kept(address.toggled("/do/2/b")) == {"open": ["/do/1/a", "/do/2/b"]}
    assert kept(address.toggled("/do/1/a")) == {}


def test_what_is_not_understood_is_left_out() -> None:
    many = "&".join(f"open={n}" for n in range(200))
    address = Address.read(QueryDict(f"view=nonsense&level=loud&x=1&step=%00&{many}"))
    assert address.view == "timeline"
    assert address.values == {}
    assert len(address.opened) == MOST_OPENED


def test_former_views_lead_to_those_that_took_their_place() -> None:
    assert Address.read(QueryDict("view=audit")).view == "events"
    assert Address.read(QueryDict("view=path")).view == "graph"
