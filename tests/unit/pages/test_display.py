"""What values look like: durations, statuses, JSON; and that none of it lets markup through."""

import pytest

from workflows.queries import LABELS
from workflows.templatetags import display, icons, json_view


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0004, "0 ms"), (0.36, "360 ms"), (8.42, "8.4 s"), (961, "16 m 01 s"), (11_520, "3 h 12 m"),
     (187_200, "2 d 04 h"), (59.96, "1 m 00 s"), (3_599.7, "1 h 00 m"), (86_399, "1 d 00 h"),
     (-1, "0 ms"), (0.9999, "1.0 s")],
)  # fmt: skip
def test_a_duration_is_written_in_the_two_units_that_matter(seconds: float, text: str) -> None:
    assert display.seconds_text(seconds) == text


@pytest.mark.parametrize(
    "label", [*LABELS, "ready", "held", "skipped", "crashed", "superseded", "failed", "unheard-of"]
)
def test_every_label_has_sign_word_and_colour(label: str) -> None:
    word, tone = display.describe_label(label)
    assert word
    assert icons.glyph(tone)
    if label != "unheard-of":
        assert tone in icons.GLYPHS or tone == "queued"


def test_an_unknown_icon_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(KeyError):
        icons.icon("no-such-icon")


@pytest.mark.parametrize(
    ("actor", "words"),
    [
        ("user:ada", "ada"),
        ("key:1a2b", "API key 1a2b"),
        ("system", "system"),
        ("cli:root", "command line, root"),
        ("schedule:nightly", "schedule of nightly"),
    ],
)
def test_actors_have_names(actor: str, words: str) -> None:
    assert display.actor(actor) == words


def test_json_is_escaped_in_keys_and_values() -> None:
    tree = json_view.json_view({"<b>": ["<img onerror=x>", {"</script>": None}]}, "x")["tree"]
    assert "<img" not in tree
    assert "<b>" not in tree
    assert "</script>" not in tree


def test_long_json_is_cut_and_says_so() -> None:
    many = json_view.json_view({"a": list(range(150))}, "x")
    assert "50 more" in many["tree"]
    large = json_view.json_view({"a": "<" * 100_000}, "x")
    assert large["tree"] == ""
    assert len(large["text"]) == json_view.MAX_TEXT


def test_direction_overrides_are_written_out() -> None:
    assert json_view.visible("a\u202eb\u2066c") == "a\\u202eb\\u2066c"
