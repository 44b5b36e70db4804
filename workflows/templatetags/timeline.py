"""The lines of a timeline as SVG: every place is an attribute, so that no style attribute is needed."""

from typing import Any
from uuid import UUID

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from workflows.templatetags.display import duration, tone, word
from workflows.templatetags.icons import glyph, icon
from workflows.templatetags.json_view import visible
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


@register.simple_tag
def step_row(row: Row, chosen: UUID | str, page: str, link: str, behind: SafeString) -> SafeString:
    """Return the line of a step: written here and not in a template, because a long run has hundreds of them.

    `link` is the beginning of the address of a step on the `page`.
    """
    step = row.step
    name = visible(row.name)
    return format_html(
        '<tr{}><th scope="row"><div class="nm d{}{}">{}{}<a id="step-{}" href="{}{}" title="{}" hx-get="{}{}{}" '
        'hx-swap="none" hx-push-url="true">{}<span class="vh">, {}</span></a>{}</div></th>'
        '<td>{}<span class="vh">{}</span></td><td class="num dur">{}</td></tr>',
        SafeString(' aria-selected="true"') if step.id == chosen else "",
        row.depth,
        " below" if step.kind == "timer" else "",
        icon("clock") if step.kind == "timer" else glyph(tone(step.label)),
        format_html('<span class="at">{} /</span>', row.turn) if row.turn else "",
        step.id,
        link,
        step.id,
        name,
        page,
        link,
        step.id,
        name,
        word(step.label),
        format_html(' <span class="tag">\u00d7{}</span>', len(step.attempts)) if len(step.attempts) > 1 else "",
        track(row, behind),
        row.words or _("not begun"),
        duration(row.seconds),
    )


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
