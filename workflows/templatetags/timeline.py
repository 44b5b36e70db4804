"""The lines of a timeline as SVG: every place is an attribute, so that no style attribute is needed."""

from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from workflows.views.timeline import Drawn, Row, Timeline

register = template.Library()

BLOCK_ICONS = {"fork": "fork", "for": "loop", "try": "shield", "do": "layers", "listen": "bolt"}


@register.simple_tag
def grid(timeline: Timeline) -> SafeString:
    """Draw what every line has behind its bars: moments and folded spans."""
    ticks = ((tick.x, tick.x) for tick in timeline.ticks)
    folds = ((each.x, each.width) for each in timeline.folds)
    return format_html(
        "{}{}",
        format_html_join("", '<line class="tick" x1="{}" x2="{}" y1="0" y2="32"/>', ticks),
        format_html_join("", '<rect class="fold" x="{}" width="{}" y="0" height="32"/>', folds),
    )


@register.simple_tag
def track(row: Row, behind: SafeString) -> SafeString:
    """Draw the bars of a row on the grid."""
    bars = SafeString("").join(DRAWINGS[drawn.bar.kind](drawn) for drawn in row.bars)
    return format_html('<svg class="track" aria-hidden="true">{}{}</svg>', behind, SafeString(bars))


@register.filter
def block_icon(group: Any) -> str:
    """Return which icon stands for a block."""
    return BLOCK_ICONS.get(group.kind, "layers")


def _attempt(drawn: Drawn) -> SafeString:
    number = SafeString("")
    if drawn.numbered:
        number = format_html(
            '<text class="n" x="{}" y="20" text-anchor="middle">{}</text>', drawn.middle, drawn.bar.number
        )
    return format_html(
        '<g data-s="{}"><rect class="b" x="{}" width="{}" y="9" height="14" rx="3"><title>{}</title></rect>{}</g>',
        drawn.bar.tone,
        drawn.x,
        drawn.width,
        drawn.bar.title,
        number,
    )


def _wait(drawn: Drawn) -> SafeString:
    return format_html(
        '<rect class="wait" x="{}" width="{}" y="9" height="14" rx="3"><title>{}</title></rect>',
        drawn.x,
        drawn.width,
        drawn.bar.title,
    )


def _deadline(drawn: Drawn) -> SafeString:
    return format_html(
        '<g data-s="{}"><line class="deadline" x1="{}" x2="{}" y1="19" y2="19"/>'
        '<text class="due" x="{}" y="14" text-anchor="{}">{}</text></g>',
        drawn.bar.tone,
        drawn.x,
        drawn.end,
        drawn.end if drawn.late else drawn.x,
        "end" if drawn.late else "start",
        drawn.bar.title,
    )


def _backoff(drawn: Drawn) -> SafeString:
    return format_html('<line class="backoff" x1="{}" x2="{}" y1="16" y2="16"/>', drawn.x, drawn.end)


def _queued(drawn: Drawn) -> SafeString:
    return format_html('<rect class="queued" x="{}" width="{}" y="13" height="6" rx="2"/>', drawn.x, drawn.width)


def _block(drawn: Drawn) -> SafeString:
    return format_html(
        '<rect class="block" x="{}" width="{}" y="14" height="4" rx="2"/>'
        '<line class="block" x1="{}" x2="{}" y1="11" y2="21"/><line class="block" x1="{}" x2="{}" y1="11" y2="21"/>',
        drawn.x,
        drawn.width,
        drawn.x,
        drawn.x,
        drawn.end,
        drawn.end,
    )


DRAWINGS = {
    "attempt": _attempt, "wait": _wait, "deadline": _deadline, "backoff": _backoff, "queued": _queued, "block": _block,
}  # fmt: skip
