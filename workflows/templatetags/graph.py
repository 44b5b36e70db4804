"""The graph as nested lists: what it looks like is CSS, what it says is text. Drawn here because it is recursive."""

import re
from functools import cache
from urllib.parse import quote

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workflows.graph.folding import FOLD
from workflows.graph.outline import Block, Lane, Node
from workflows.graph.standing import FAILED, OPEN, SKIPPED, Standing
from workflows.language.tasks import CONTINUE
from workflows.templatetags import graph_words as words
from workflows.templatetags.display import tone, word
from workflows.templatetags.icons import glyph, icon
from workflows.templatetags.json_view import visible
from workflows.views.graph import Drawing, address_of

register = template.Library()

GROUPS = ("do", "for", "try", "listen")
UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
NOTHING = SafeString("")


@register.simple_tag
def workflow_graph(drawing: Drawing) -> SafeString:
    """Draw a graph."""
    return format_html('<div class="wf">{}</div>', _Drawer(drawing).block(drawing.block))


class _Drawer:
    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        self.ran = drawing.standings is not None
        # a graph has few different ones of these, and each of them often
        self.icon, self.glyph = cache(icon), cache(glyph)
        self.tone, self.word = cache(tone), cache(word)

    def block(self, block: Block) -> SafeString:
        items = format_html_join(
            "", "<li{}>{}</li>", ((self._item_class(node), self.node(node)) for node in block.nodes)
        )
        return format_html('<ol class="seq" role="list">{}</ol>', items)

    def node(self, node: Node) -> SafeString:
        if node.kind == FOLD:
            return self._fold(node)
        drawn = self._body(node)
        if node.goes == CONTINUE:
            return drawn
        return format_html("{}{}", drawn, self._goes(node.goes))

    def _body(self, node: Node) -> SafeString:
        if node.lanes:
            return self._columns(node)
        return self._group(node) if node.body is not None else self._leaf(node)

    def _item_class(self, node: Node) -> SafeString:
        return SafeString(' class="nr"') if self.ran and not self._reached(node) else NOTHING

    def _reached(self, node: Node) -> bool:
        if node.kind == FOLD:
            return any(self.drawing.of(ref).label for ref in node.hidden)
        return self.drawing.of(node.ref).label not in ("", SKIPPED)

    # --- leaves -----------------------------------------------------------------------------------------------------
    def _leaf(self, node: Node) -> SafeString:
        stood = self.drawing.of(node.ref)
        told = words.came(node, stood) if self.ran else words.told(node)
        inner = format_html(
            '{}<span class="trunc">{}</span>{}<span class="vh">, {}</span>{}',
            self._sign(node, stood),
            visible(node.name),
            self._corner(node, stood),
            self._spoken(node, stood),
            format_html('<span class="m">{}</span>', visible(told)) if told else NOTHING,
        )
        return self._linked(node, stood, "node", inner)

    def _sign(self, node: Node, stood: Standing) -> SafeString:
        if not self.ran:
            return self.icon(words.sign(node))
        return self.glyph(self.tone(stood.label) if stood.label else "queued")

    def _corner(self, node: Node, stood: Standing) -> SafeString:
        if stood.attempts > 1:
            return format_html(
                '<span class="x" data-s="{}">{}<span class="vh">, {}</span></span>',
                self.tone(stood.label),
                format_html('<span aria-hidden="true">&times;{}</span>', stood.attempts),
                ngettext("%(n)d attempt", "%(n)d attempts", stood.attempts) % {"n": stood.attempts},
            )
        if not self.ran or words.sign(node) == "atom":
            return SafeString("<span></span>")
        return format_html('<span class="ty">{}</span>', self.icon(words.sign(node)))

    def _spoken(self, node: Node, stood: Standing) -> str:
        return (self.word(stood.label) if stood.label else _("not reached")) if self.ran else node.kind

    def _linked(self, node: Node, stood: Standing, css: str, inner: SafeString) -> SafeString:
        """Lead to the step of a run, or to what a definition calls; what has neither is no link."""
        state = (self.tone(stood.label) if stood.label else "pending") if self.ran else ""
        shown = format_html(' data-s="{}"', state) if state else NOTHING
        address = (
            f"{self.drawing.step}{stood.step}" if stood.step else "" if self.ran else address_of(node.calls, node.kind)
        )
        if not address:
            return format_html('<span class="{}"{}>{}</span>', css, shown, inner)
        return format_html(
            '<a class="{}" id="{}" href="{}"{}{}{}>{}</a>',
            css,
            _id(node.ref),
            address,
            shown,
            SafeString(' aria-current="true"') if self.ran and node.ref == self.drawing.chosen else NOTHING,
            self._swapped(address) if self.ran else NOTHING,
            inner,
        )

    def _swapped(self, address: str) -> SafeString:
        path = self.drawing.page + address
        if self.drawing.apart:
            return format_html(' hx-get="{}" hx-swap="none" hx-push-url="true"', path)
        return format_html(
            ' hx-get="{}" hx-target="#graph" hx-select="#graph" hx-swap="outerHTML" hx-push-url="true"', path
        )

    # --- groups -----------------------------------------------------------------------------------------------------
    def _group(self, node: Node) -> SafeString:
        stood = self.drawing.of(node.ref)
        bad = self.ran and stood.label == FAILED
        return format_html(
            '<section class="grp{}" aria-label="{}"><div class="gh">{}</div><div class="gb">{}{}</div>{}</section>',
            " bad" if bad else "",
            f"{node.kind} {visible(node.name)}" + (f", {self._spoken(node, stood)}" if self.ran else ""),
            self._heading(node, stood),
            self.block(node.body) if node.body else NOTHING,
            self._cells(stood),
            self._caught(node),
        )

    def _heading(self, node: Node, stood: Standing) -> SafeString:
        name = visible(node.name)
        return format_html(
            '{}{}<span class="sub">{}</span><span class="sub">{}</span>',
            self.icon(words.sign(node)),
            self._linked(node, stood, "gn", format_html("{}", name)) if stood.step else name,
            visible(words.told(node)),
            words.rounds(node, stood) if self.ran else "",
        )

    def _caught(self, node: Node) -> SafeString:
        catch = node.definition.get("catch", {})
        if node.caught is None and "then" not in catch:
            return NOTHING
        return format_html(
            '<div class="catch"><span class="cap-pill">{}{}</span>{}{}</div>',
            self.icon("alert"),
            visible(words.caught(node)),
            self.block(node.caught) if node.caught else NOTHING,
            self._goes(str(catch["then"])) if catch.get("then", CONTINUE) != CONTINUE else NOTHING,
        )

    def _goes(self, where: str) -> SafeString:
        return format_html('<span class="goes">{}{}</span>', self.icon("chevron"), visible(words.goes(where)))

    def _cells(self, stood: Standing) -> SafeString:
        if not stood.cells or stood.rounds is None:
            return NOTHING
        width = 100 / len(stood.cells)
        drawn = format_html_join(
            "",
            '<rect{} x="{}%" width="{}%" height="10" rx="2"/>',
            (
                (
                    format_html(' data-s="{}"', self.tone(label)) if label else NOTHING,
                    f"{at * width:.2f}",
                    f"{width * 0.85:.2f}",
                )
                for at, label in enumerate(stood.cells)
            ),
        )
        bad = stood.cells.count(FAILED)
        said = _("%(done)d of %(all)d iterations") % {"done": stood.rounds[0], "all": stood.rounds[1]}
        return format_html(
            '<svg class="cells" role="img" aria-label="{}{}">{}</svg>', said, f", {_('failed')}" if bad else "", drawn
        )

    # --- columns ----------------------------------------------------------------------------------------------------
    def _columns(self, node: Node) -> SafeString:
        told = words.told(node)
        return format_html(
            '<span class="cap-pill">{}{}<span class="vh"> {}</span>{}</span><ol class="branches" role="list">{}</ol>',
            self.icon(words.sign(node)),
            visible(node.name),
            node.kind,
            format_html(' <span class="sub">{}</span>', told) if told else NOTHING,
            format_html_join("", "{}", ((self._lane(node, lane),) for lane in node.lanes)),
        )

    def _lane(self, node: Node, lane: Lane) -> SafeString:
        taken = self._taken(node, lane)
        return format_html(
            '<li{}><div class="bwrap">{}{}{}</div></li>',
            SafeString(' class="dim"') if self.ran and not taken else NOTHING,
            self._label(node, lane, taken=taken),
            self.block(lane.block) if lane.block.nodes else NOTHING,
            self._goes(lane.goes) if lane.goes else NOTHING,
        )

    def _taken(self, node: Node, lane: Lane) -> bool:
        if (lane.block.nodes and lane.block.nodes[0].kind == FOLD) or node.kind == "fork":
            return any(self._reached(each) for each in lane.block.nodes)
        standings = self.drawing.standings
        if standings is None:
            return False
        if lane.name:
            return bool(standings.taken.get((node.ref, lane.name)))
        passed = bool(self.drawing.of(node.ref).label)
        return passed and not any(standings.taken.get((node.ref, each.name)) for each in node.lanes)

    def _label(self, node: Node, lane: Lane, *, taken: bool) -> SafeString:
        """Return the label of a column; a branch that is one task has its name there."""
        first = lane.block.nodes[0] if lane.block.nodes else None
        if first is not None and (first.kind == FOLD or (node.kind == "fork" and first.name == lane.name)):
            return NOTHING
        said = "" if not self.ran or node.kind == "fork" else f", {_('taken')}" if taken else f", {_('not taken')}"
        return format_html(
            '<span class="cap-pill"{}>{}{}<span class="vh">{}</span></span>',
            format_html(' title="{}"', visible(lane.when)) if lane.when else NOTHING,
            self.glyph("succeeded") if said and taken else NOTHING,
            visible(lane.name or _("otherwise")),
            said,
        )

    def _fold(self, node: Node) -> SafeString:
        lanes = node.definition.get("lanes")
        count = lanes or len(node.hidden)
        text = (
            ngettext("%(n)d more branch", "%(n)d more branches", count)
            if lanes
            else ngettext("%(n)d task", "%(n)d tasks", count)
        ) % {"n": count}
        labels = [self.drawing.of(ref).label for ref in node.hidden] if self.ran else []
        bad, busy = labels.count(FAILED), sum(1 for label in labels if label in OPEN)
        parts = [text]
        if bad:
            parts.append(_("%(n)d failed") % {"n": bad})
        if busy:
            parts.append(_("%(n)d open") % {"n": busy})
        address = self.drawing.fold + quote(node.ref, safe="")
        return format_html(
            '<a class="node fold" id="{}" href="{}"{}>{}<span>{}</span><span class="vh"> {}</span></a>',
            _id(node.ref + FOLD),
            address,
            self._swapped(address),
            self.icon("plus"),
            ", ".join(parts),
            _("show"),
        )


def _id(ref: str) -> str:
    return "node" + UNSAFE.sub("-", ref)
