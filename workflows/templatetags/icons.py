"""Icons as inline SVG: 16 px, drawn with strokes in the colour of the text around them; always beside words."""

from functools import cache

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

ICONS = {
    "home": '<path d="M2.500 7.200 8 2.800l5.500 4.400v6H9.800V9.600H6.200v3.600H2.500z"/>',
    "list": '<path d="M5.500 4h8M5.500 8h8M5.500 12h8M2.300 4h.4M2.300 8h.4M2.300 12h.4"/>',
    "alert": '<path d="M8 2.300 14.300 13H1.700zM8 6.400v3M8 11.200v.1"/>',
    "person": '<circle cx="8" cy="5.200" r="2.600"/><path d="M3 13.500c.4-2.700 2.400-4 5-4s4.600 1.300 5 4"/>',
    "bell": '<path d="M4 11V7a4 4 0 0 1 8 0v4l1.200 1.500H2.800zM6.600 14.200h2.800"/>',
    "bolt": '<path d="M8.800 1.800 3.400 9h3.900l-.6 5.200L12.600 7H8.300z"/>',
    "flow": '<rect x="1.800" y="6" width="4" height="4" rx="1"/><rect x="10.200" y="2" width="4" height="4" rx="1"/>'
    '<rect x="10.200" y="10" width="4" height="4" rx="1"/>'
    '<path d="M5.800 8H8M10.200 4H9a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h1.200"/>',
    "atom": '<circle cx="8" cy="8" r="1.200"/><ellipse cx="8" cy="8" rx="6.300" ry="2.600"/>'
    '<ellipse cx="8" cy="8" rx="6.300" ry="2.600" transform="rotate(60 8 8)"/>'
    '<ellipse cx="8" cy="8" rx="6.300" ry="2.600" transform="rotate(-60 8 8)"/>',
    "data": '<ellipse cx="8" cy="3.800" rx="5.300" ry="2"/>'
    '<path d="M2.700 3.800v8.400c0 1.100 2.400 2 5.300 2s5.300-.9 5.300-2V3.800M2.700 8c0 '
    '1.100 2.400 2 5.300 2s5.300-.9 5.300-2"/>',
    "key": '<circle cx="5.300" cy="10.700" r="2.800"/><path d="m7.400 8.600 5.800-5.800M10.700 5.300l1.900 1.900"/>',
    "layers": '<path d="m8 2 6 3.200-6 3.200-6-3.200zM2.300 8.300 8 11.300l5.700-3M2.300 11 8 14l5.700-3"/>',
    "book": '<path d="M8 4C6.500 2.800 4.500 2.500 2 2.500v10c2.500 0 4.500.3 6 1.500 1.500-1.200 '
    '3.500-1.500 6-1.500v-10c-2.500 0-4.500.3-6 1.500zM8 4v10"/>',
    "shield": '<path d="M8 1.800 13 3.600v4c0 3.100-2.100 5.400-5 6.600-2.900-1.200-5-3.500-5-6.600v-4z"/>',
    "search": '<circle cx="7" cy="7" r="4.300"/><path d="m10.300 10.300 3.400 3.400"/>',
    "play": '<path d="M5 3.200v9.600L12.800 8z"/>',
    "pause": '<path d="M5.500 3.500v9M10.500 3.500v9"/>',
    "x": '<path d="m4 4 8 8M12 4l-8 8"/>',
    "plus": '<path d="M8 3v10M3 8h10"/>',
    "check": '<path d="m3.200 8.500 3.100 3.200 6.500-7"/>',
    "retry": '<path d="M13 8a5 5 0 1 1-1.500-3.600M13 2.200v2.800h-2.800"/>',
    "undo": '<path d="M5.300 2.800 2.300 5.800l3 3M2.300 5.800h6.900a4 4 0 0 1 0 8H5.500"/>',
    "skip": '<path d="m3.500 3.500 5.500 4.500-5.500 4.500zM12 3.500v9"/>',
    "path": '<circle cx="3.500" cy="12.500" r="1.500"/><circle cx="12.500" cy="3.500" r="1.500"/>'
    '<path d="M5 12.500h4a2.300 2.300 0 0 0 0-4.600H7A2.200 2.200 0 0 1 7 3.500h4"/>',
    "chevron": '<path d="m6 3.500 4.500 4.500L6 12.500"/>',
    "copy": '<rect x="5.500" y="5.500" width="8" height="8" rx="1.300"/>'
    '<path d="M3.500 10.500h-.2a1 1 0 0 1-1-1v-6a1 1 0 0 1 1-1h6a1 1 0 0 1 1 1v.2"/>',
    "download": '<path d="M8 2.500v7.700M4.800 7.200 8 10.300l3.200-3.100M2.800 13h10.400"/>',
    "edit": '<path d="m10.700 2.700 2.600 2.600-7.600 7.600-3.200.6.600-3.200z"/>',
    "sun": '<circle cx="8" cy="8" r="2.800"/><path d="M8 1.500v1.300M8 13.200v1.300M1.500 '
    "8h1.300M13.200 8h1.300M3.400 3.400l.9.9"
    'M11.700 11.700l.9.9M12.600 3.400l-.9.9M4.300 11.700l-.9.9"/>',
    "moon": '<path d="M13.500 9.500A6 6 0 0 1 6.500 2.500a5.800 5.800 0 1 0 7 7z"/>',
    "auto": '<circle cx="8" cy="8" r="5.800"/><path d="M8 2.200v11.600a5.800 5.800 0 0 0 0-11.600z" '
    'fill="currentColor"/>',
    "sliders": '<path d="M2.500 4.500h6M12 4.500h1.500M2.500 11.500h1.500M7.500 11.500h6"/>'
    '<circle cx="10.200" cy="4.500" r="1.700"/><circle cx="5.700" cy="11.500" r="1.700"/>',
    "clock": '<circle cx="8" cy="8" r="5.800"/><path d="M8 4.800V8l2.200 1.600"/>',
    "calendar": '<rect x="2.200" y="3.200" width="11.600" height="10.600" rx="1.300"/>'
    '<path d="M2.200 6.500h11.600M5.300 1.800v2.800M10.700 1.800v2.800"/>',
    "ear": '<path d="M2.500 8a5.500 5.500 0 0 1 11 0M4.900 8a3.100 3.100 0 0 1 6.200 0M8 8v.1M8 10.500v3"/>',
    "loop": '<path d="M4.500 11.500h6.300a2.700 2.700 0 0 0 2.700-2.700"/>'
    '<path d="M11.500 4.500H5.200a2.700 2.700 0 0 0-2.700 2.700"/>'
    '<path d="m9.500 2.500 2 2-2 2M6.500 9.500l-2 2 2 2"/>',
    "fork": '<path d="M8 2v3.500M8 5.500c0 2-4.500 1.600-4.500 4.500v3M8 5.500c0 2 4.500 1.600 4.500 4.500v3"/>'
    '<path d="M2 11.500 3.500 13 5 11.500M11 11.500l1.500 1.500 1.500-1.500"/>',
    "diamond": '<path d="m8 1.800 6.200 6.200L8 14.200 1.800 8z"/>',
    "minus": '<path d="M3.500 8h9"/>',
    "filter": '<path d="M2 3.500h12L9.500 8.700v4.100l-3-1.500V8.700z"/>',
    "dots": '<path d="M3.500 8h.1M8 8h.1M12.500 8h.1"/>',
    "exit": '<path d="M6.500 2.500H3v11h3.500M7 8h6.500M10.800 5.200 13.600 8l-2.800 2.800"/>',
    "keyboard": '<rect x="1.500" y="4" width="13" height="8" rx="1.300"/>'
    '<path d="M4 6.500h.1M6.700 6.500h.1M9.300 6.500h.1M12 6.500h.1M4.500 9.500h7"/>',
}
GLYPHS = {
    "succeeded": '<circle cx="8" cy="8" r="6.800" class="f"/><path class="k" d="m5 8.300 2.100 2.100 4-4.500"/>',
    "failed": '<circle cx="8" cy="8" r="6.800" class="f"/><path class="k" d="m5.600 5.600 4.800 '
    '4.800M10.400 5.600l-4.800 4.800"/>',
    "caught": '<circle cx="8" cy="8" r="6" class="o"/><path class="o" d="m5.900 5.900 4.200 '
    '4.200M10.100 5.900l-4.200 4.200"/>',
    "running": '<circle cx="8" cy="8" r="6" class="o" opacity=".3"/><path class="o spin" d="M8 2a6 6 0 0 1 6 6"/>',
    "queued": '<circle cx="8" cy="8" r="6" class="o" stroke-dasharray="2.100 2.100"/>',
    "waiting": '<circle cx="8" cy="8" r="6.800" class="f"/><path class="k" d="M8 4.600V8l2.100 1.600"/>',
    "retrying": '<circle cx="8" cy="8" r="6.800" class="f"/><path class="k" d="M11 8a3 3 0 1 1-1-2.200M11 4v2H9"/>',
    "cancelled": '<circle cx="8" cy="8" r="6" class="o"/><path class="o" d="M4 12 12 4"/>',
    "compensated": '<circle cx="8" cy="8" r="6.800" class="f"/>'
    '<path class="k" d="M6.800 5 4.800 7l2 2M5 7h4a2 2 0 0 1 0 4H7.500"/>',
    "skipped": '<circle cx="8" cy="8" r="6" class="o" stroke-dasharray="2.100 2.100"/><path class="o" d="M5.500 8h5"/>',
}


@register.simple_tag
@cache
def icon(name: str, css: str = "") -> SafeString:
    """Draw an icon. Raises KeyError for a name that is not drawn."""
    # The only markup here is the constants above.
    return format_html(
        '<svg class="i {}" viewBox="0 0 16 16" aria-hidden="true">{}</svg>',
        css,
        mark_safe(ICONS[name]),  # noqa: S308
    )


@register.simple_tag
@cache
def glyph(status: str) -> SafeString:
    """Draw the sign of a status key; a key without a sign of its own gets the dotted circle."""
    drawing = GLYPHS.get(status, GLYPHS["queued"])
    return format_html(
        '<svg class="glyph" data-s="{}" viewBox="0 0 16 16" aria-hidden="true">{}</svg>',
        status,
        mark_safe(drawing),  # noqa: S308
    )
