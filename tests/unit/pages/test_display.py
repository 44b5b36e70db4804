"""What values look like: durations, statuses, JSON; and that none of it lets markup through."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

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


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (999, "999"), (1_234_567, "1,234,567"), (1234.5, "1,234.5"), (None, display.NOTHING)]
)
def test_a_number_has_separators_between_the_thousands(value: float | None, text: str) -> None:
    assert display.number(value) == text


@pytest.mark.parametrize(
    ("zone", "utc", "shown"),
    [
        ("Europe/Berlin", datetime(2024, 3, 31, 0, 59, 59, tzinfo=UTC), "31 Mar 2024, 01:59:59"),
        ("Europe/Berlin", datetime(2024, 3, 31, 1, 0, tzinfo=UTC), "31 Mar 2024, 03:00:00"),
        ("America/New_York", datetime(2024, 11, 3, 6, 30, tzinfo=UTC), "3 Nov 2024, 01:30:00"),
        ("Pacific/Auckland", datetime(2023, 12, 31, 11, 30, tzinfo=UTC), "1 Jan 2024, 00:30:00"),
        ("UTC", datetime(2024, 2, 29, 23, 0, tzinfo=UTC), "29 Feb 2024, 23:00:00"),
    ],
)
def test_a_time_is_shown_in_the_viewers_zone_and_in_utc_on_hover(zone: str, utc: datetime, shown: str) -> None:
    with timezone.override(zone):
        page = str(display.moment(utc))
    assert f">{shown}</time>" in page
    assert f'datetime="{utc.isoformat()}"' in page
    assert f'title="{utc:%Y-%m-%d %H:%M:%S} UTC"' in page
