"""The menu of a row of the run list: only what may be done to the run as it is, as links to the forms."""

from functools import cache
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django import template
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from workflows.queries import RunRow
from workflows.templatetags.icons import icon

register = template.Library()

ANY = UUID(int=0)
VERBS = (
    ("retry", "workflows.retry_run", gettext_noop("Retry from failure"), "retry"),
    ("resolve", "workflows.retry_run", gettext_noop("Mark as resolved"), "check"),
    ("suspend", "workflows.suspend_run", gettext_noop("Suspend"), "pause"),
    ("resume", "workflows.suspend_run", gettext_noop("Resume"), "play"),
    ("cancel", "workflows.cancel_run", gettext_noop("Cancel"), "x"),
)


@register.simple_tag(takes_context=True)
def row_menu(context: template.Context, run: RunRow) -> SafeString:
    """List what the reader may do to a run. Each item has an id: the focus survives when the list is renewed."""
    user, number = context["request"].user, str(run.id)
    allowed = [verb for verb in VERBS if verb[0] not in run.refusals and user.has_perm(verb[1])]
    links = format_html_join(
        "",
        '<li><a id="{}-{}" href="{}">{}{}</a></li>',
        ((verb, number, _address(f"run-{verb}", number), icon(sign), _(text)) for verb, _needed, text, sign in allowed),
    )
    return format_html(
        '<li><a id="open-{0}" href="{1}">{2}{3}</a></li>{4}'
        '<li><button type="button" id="copy-{0}" data-copy="{0}">{5}{6}</button></li>',
        number,
        run_address(run, context.get("list_query") or ""),
        icon("chevron"),
        _("Open"),
        links,
        icon("copy"),
        _("Copy the id"),
    )


@register.simple_tag
def run_address(run: Any, query: str = "") -> str:
    """Return where the page of a run is; with the list that the reader comes from, if there is one."""
    address = _address("run", str(run.id))
    return f"{address}?list={quote(query, safe='')}" if query else address


def _address(name: str, number: str) -> str:
    return _pattern(name).replace(str(ANY), number)


@cache
def _pattern(name: str) -> str:
    """Reverse an address once: a page has hundreds of them."""
    return reverse(name, args=[ANY])
