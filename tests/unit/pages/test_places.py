"""Keys of steps in words."""

import pytest

from workflows.queries.labels import step_label
from workflows.queries.places import branches, inside, name_of, title


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("/do/0/pay", []),
        ("/do/0/lines@2/do/1/pay", ["iteration 3 of lines"]),
        ("/do/1/t@1/try/0/charge", ["attempt 1 of t"]),
        ("/do/1/t@c/catch/do/0/notify", ["what t does after a fault"]),
        ("/do/1/f/fork/branches/0/b", ["branch b of f"]),
        ("/do/1/f/fork/branches/0/b/do/3/x", ["branch b of f"]),
        ("/do/3/l@0/foreach/do/0/x", ["event 1 of l"]),
        ("/do/2/poll[4]", ["visit 5 of poll"]),
        (
            "/do/0/a@9/do/1/f/fork/branches/12/left-b/do/0/t@2/try/0/x[1]",
            ["iteration 10 of a", "branch left-b of f", "attempt 2 of t", "visit 2 of x"],
        ),
        ("#undo", []),
        ("", []),
    ],
)
def test_a_key_says_what_is_around_its_step(key: str, words: list[str]) -> None:
    assert inside(key) == words


@pytest.mark.parametrize(
    ("key", "name"),
    [("/do/0/pay", "pay"), ("/do/2/poll[4]", "poll"), ("/do/1/l@3", "l"), ("/do/1/t#timeout", "t"), ("#undo", "#undo")],
)
def test_a_key_says_the_name_of_its_task(key: str, name: str) -> None:
    assert name_of(key) == name


def test_a_compensation_is_told_from_the_step_that_it_undoes() -> None:
    assert title("undo", "flight", "cancel-flight:1.0.0") == "undo of flight"
    assert title("undo", "undo", "") == "start of the undo"
    assert title("call", "flight", "book-flight:1.0.0") == "flight"


def test_a_deadline_is_told_from_the_task_that_it_limits() -> None:
    assert title("timer", "news", "") == "deadline of news"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("/do/0/alone", []),
        ("/do/0/both/fork/branches/2/c", ["both"]),
        ("/do/0/both/fork/branches/1/a/do/0/c", ["both", "a"]),
        ("/do/0/l@2/do/0/both/fork/branches/1/a/do/0/in/fork/branches/0/x", ["both", "a", "in"]),
    ],
)
def test_the_forks_and_branches_around_a_step(key: str, expected: list[str]) -> None:
    assert branches(key) == expected


@pytest.mark.parametrize(
    ("step", "label"),
    [
        (("ready", "call", 0), "pending"),
        (("ready", "call", 2), "retrying"),
        (("ready", "wait", 0), "waiting"),
        (("waiting", "listen", 0), "waiting_event"),
        (("waiting", "run", 0), "waiting_child"),
        (("waiting", "join", 0), "waiting"),
        (("held", "call", 0), "held"),
        (("skipped", "call", 0), "skipped"),
        (("succeeded", "undo", 0), "undone"),
        (("failed", "call", 1), "dead_letter"),
    ],
)
def test_a_step_has_the_label_of_what_it_waits_for(step: tuple[str, str, int], label: str) -> None:
    assert step_label(*step) == label


def test_functions_that_wait_say_for_what() -> None:
    for state in ("ready", "waiting"):
        assert step_label(state, "call", 0, function="approval:1.0.0") == "waiting_person"
        assert step_label(state, "call", 0, function="map:1.0.0") == "waiting_child"
    assert step_label("failed", "call", 1, caught=True) == "caught"
