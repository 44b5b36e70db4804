"""Charts say what they show: every number that is drawn is also named, and nothing of a label becomes markup."""

import re

from django.template import Context, Template

from workflows.templatetags.charts import Column, Columns, Histogram, Mark, Series, Tick

SERIES = (Series("succeeded", "Succeeded", "succeeded"), Series("failed", "Failed", "failed"))


def drawn(tag: str, **values: object) -> str:
    return Template("{% load charts %}" + tag).render(Context(values))


def test_a_column_names_its_numbers_and_the_table_has_them_too() -> None:
    chart = Columns(
        "3 of 4 succeeded", "When", SERIES, [Column("14:00", {"succeeded": 3, "failed": 1})], [Tick(0, "x")]
    )
    html = drawn("{% columns chart %}", chart=chart)
    assert "<title>14:00: 3 succeeded, 1 failed</title>" in html
    assert '<th scope="row">14:00</th><td class="num">3</td><td class="num">1</td>' in html
    assert html.count('aria-label="3 of 4 succeeded"') == 2


def test_nothing_yet_is_drawn_as_nothing_and_not_as_an_error() -> None:
    for chart in (Columns("none", "When", SERIES, []), Columns("none", "When", SERIES, [Column("now", {})])):
        assert 'class="c"' not in drawn("{% columns chart %}", chart=chart)
    assert "c-hist" not in drawn("{% histogram chart %}", chart=Histogram("none", "From", "runs", []))
    assert "no history yet" in drawn('{% sparkline values "Runs" %}', values=[])


def test_parts_stand_upon_each_other_and_inside_the_picture() -> None:
    parts = [Column(str(size), {"succeeded": size, "failed": 7}) for size in (0, 1, 999)]
    html = drawn("{% columns chart table='none' %}", chart=Columns("x", "When", SERIES, parts))
    tops = [float(y) for y in re.findall(r'class="c" [^>]* y="([\d.]+)"', html)]
    assert len(tops) == 5
    assert min(tops) >= 6
    assert "<table" not in html


def test_what_is_slower_than_the_last_mark_has_another_colour() -> None:
    bars = [("1 s", 9), ("2 s", 3), ("4 s", 1)]
    chart = Histogram("most took 1 s", "From", "runs", bars, [Mark(20, "p50 1 s"), Mark(50, "p95 3 s")])
    html = drawn("{% histogram chart %}", chart=chart)
    assert html.count("c-hist hot") == 1
    assert "<title>Runs 4 s: 1</title>" in html
    assert "p95 3 s" in html


def test_a_label_is_never_markup() -> None:
    html = drawn("{% sparkline values label %}", values=[1, 2], label='"><script>')
    assert "<script>" not in html


def test_a_sparkline_says_where_it_stands_and_keeps_every_peak() -> None:
    values = [0.0] * 500
    values[123] = 70
    html = drawn('{% sparkline values "Running" "running" %}', values=values)
    assert "Running: now 0" in html
    assert "at most 70" in html
    assert " 3.0 " in html.replace("L", " ")  # the peak reaches the top
