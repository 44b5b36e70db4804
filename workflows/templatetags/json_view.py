"""JSON as nested disclosure lists. Values are only ever escaped text; what is too large is cut, and can be had."""

import json
from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

MAX_TEXT = 64 * 1024
MAX_ITEMS = 100
MAX_STRING = 4_000
PREVIEW = 120
OPEN_LEVELS = 2
# Characters that reorder or hide the text around them are shown as escapes.
INVISIBLE = {
    code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)
}


@register.inclusion_tag("_json.html")
def json_view(value: Any, label: str, raw_url: str = "") -> dict[str, Any]:
    """Show a JSON value; above 64 KiB only its beginning, as text. `label` is its name, `raw_url` has all of it."""
    size = len(json.dumps(value, ensure_ascii=False))
    return {
        "label": label,
        "raw_url": raw_url,
        "tree": _node(value, 0) if size <= MAX_TEXT else "",
        "text": visible(_beginning(value)) if size > MAX_TEXT else "",
        "size": size,
    }


@register.filter
def visible(text: str) -> str:
    """Return text in which direction overrides are written out."""
    return text.translate(INVISIBLE)


@register.filter
def as_json(value: Any) -> str:
    """Return JSON, indented, for a text field."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def one_line(value: Any) -> str:
    """Return the beginning of a value as JSON in one line."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= PREVIEW else f"{text[:PREVIEW]}…"


def _beginning(value: Any) -> str:
    """Return the first 64 KiB of a value as indented JSON, without writing out the rest of it."""
    written, size = [], 0
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        written.append(piece)
        size += len(piece)
        if size >= MAX_TEXT:
            break
    return "".join(written)[:MAX_TEXT]


def _node(value: Any, depth: int) -> SafeString:
    if isinstance(value, dict) and value:
        rows: Iterable[tuple[SafeString, Any]] = ((_key(key), item) for key, item in value.items())
        return _branch(rows, len(value), "{}", "key", depth)
    if isinstance(value, list) and value:
        return _branch(((SafeString(""), item) for item in value), len(value), "[]", "item", depth)
    return _leaf(value)


def _branch(rows: Iterable[tuple[SafeString, Any]], count: int, brackets: str, unit: str, depth: int) -> SafeString:
    shown = [(head, item) for (head, item), _ in zip(rows, range(MAX_ITEMS), strict=False)]
    items = format_html_join("", "<li>{}{}</li>", ((head, _node(item, depth + 1)) for head, item in shown))
    more = format_html('<li class="el">… {} more</li>', count - MAX_ITEMS) if count > MAX_ITEMS else ""
    return format_html(
        '<details{}><summary><span class="p">{}</span><span class="el"> {} {} {}</span></summary>'
        '<ul>{}{}</ul><span class="p">{}</span></details>',
        SafeString(" open") if depth < OPEN_LEVELS else "",
        brackets[0],
        count,
        unit if count == 1 else f"{unit}s",
        brackets[1],
        items,
        more,
        brackets[1],
    )


def _key(key: str) -> SafeString:
    return format_html('<span class="k">{}</span><span class="p">: </span>', _quoted(key))


def _leaf(value: Any) -> SafeString:
    if isinstance(value, str):
        return format_html('<span class="s">{}</span>', _quoted(value))
    css = "l" if value is None or isinstance(value, bool) else "p" if isinstance(value, dict | list) else "n"
    return format_html('<span class="{}">{}</span>', css, json.dumps(value))


def _quoted(text: str) -> str:
    cut = text if len(text) <= MAX_STRING else f"{text[:MAX_STRING]}… ({len(text)} characters)"
    return escape(visible(json.dumps(cut, ensure_ascii=False)))
