"""How values look on a page: statuses as sign, word and colour; times in UTC; durations; names of actors."""

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from workflows.queries import LABELS
from workflows.templatetags.icons import glyph

register = template.Library()

NOTHING = "\u2013"
MAX_CELLS, LEAST_CELLS = 12, 6
# large unit, small unit, seconds of the small one, how many make a large one, how many are too many
UNITS = (("m", "s", 1, 60, 3_600), ("h", "m", 60, 60, 1_440), ("d", "h", 3_600, 24, 10**9))
STEP_LABELS = {
    "ready": ("Due", "queued"),
    "held": ("Held", "queued"),
    "failed": ("Failed", "failed"),
    "skipped": ("Skipped", "skipped"),
    "caught": ("Failed, caught", "caught"),
    "crashed": ("Crashed", "failed"),
    "superseded": ("Superseded", "cancelled"),
}
ACTORS = {
    "user": "",
    "key": "API key ",
    "cli": "command line, ",
    "system": "system",
    "schedule": "schedule of ",
    "endpoint": "endpoint ",
}
SHORT = ("worker", "run")
TRIGGERS = {"api": "API", "page": "page", "cli": "command line", "schedule": "schedule", "event": "event"}


def describe_label(label: str) -> tuple[str, str]:
    """Return (word, status key) of the label of a run, a step or an attempt."""
    return LABELS.get(label) or STEP_LABELS.get(label) or (label.replace("_", " ").capitalize(), "queued")


def seconds_text(seconds: float) -> str:
    """Return a duration in the units that matter: `360 ms`, `8.4 s`, `16 m 01 s`, `3 h 12 m`, `2 d 04 h`."""
    milliseconds, tenths = round(max(seconds, 0) * 1_000), round(seconds * 10)
    if milliseconds < 1_000:
        return f"{milliseconds} ms"
    if tenths < 600:
        return f"{tenths / 10:.1f} s"
    large, small, size, factor, _ = next(unit for unit in UNITS if round(seconds / unit[2]) < unit[4])
    count = round(seconds / size)
    return f"{count // factor} {large} {count % factor:02d} {small}"


@register.filter
def word(label: str) -> str:
    """Return the word of a label."""
    return describe_label(label)[0]


@register.filter
def tone(label: str) -> str:
    """Return the status key of a label: what `data-s` takes."""
    return describe_label(label)[1]


@register.simple_tag
def status(label: str, css: str = "", text: str = "") -> SafeString:
    """Show a label as sign, word and colour; `css="pill"` tints it."""
    name, key = describe_label(label)
    return format_html('<span class="status {}" data-s="{}">{}{}</span>', css, key, glyph(key), text or name)


@register.filter
def duration(value: timedelta | float | None) -> str:
    """Return a duration given as timedelta or in seconds; nothing known is a dash."""
    if value is None:
        return NOTHING
    return seconds_text(value.total_seconds() if isinstance(value, timedelta) else float(value))


@register.simple_tag
def milliseconds(value: float) -> str:
    """Return a duration given in milliseconds."""
    return seconds_text(value / 1000)


@register.simple_tag
def took(start: datetime | None, end: datetime | None) -> str:
    """Return how long it took, or how long it has been taking."""
    if start is None:
        return NOTHING
    return duration((end or timezone.now()) - start)


@register.simple_tag
def moment(at: datetime | None, style: str = "full") -> SafeString | str:
    """Show a time in UTC: `full` with the date, `clock` without, `short` with the date only when it is not today."""
    if at is None:
        return NOTHING
    local = at.astimezone(timezone.get_current_timezone())
    clock = f"{local:%H:%M:%S}"
    day = f"{local.day} {local:%b}" if local.year == timezone.now().year else f"{local.day} {local:%b %Y}"
    dated = style == "full" or (style == "short" and local.date() != timezone.localdate())
    text = f"{day}, {clock}" if dated else clock
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', at.isoformat(), f"{local:%Y-%m-%d %H:%M:%S} UTC", text
    )


@register.simple_tag
def steps_strip(run: Any) -> SafeString:
    """Draw how far a run is: a cell per step, many of one kind together, never more than twelve."""
    counts = (("succeeded", run.steps_done), ("failed", run.steps_failed), (tone(run.label), run.steps_open))
    words = f"{run.steps_done} done, {run.steps_open} open, {run.steps_failed} failed"
    total = sum(count for _, count in counts)
    if not total:
        return format_html('<span class="muted">{}<span class="vh">no steps yet</span></span>', NOTHING)
    cells = [key for key, count in counts for _ in range(-(-count * min(total, MAX_CELLS) // total))]
    width = 100 / max(len(cells), LEAST_CELLS)
    drawn = format_html_join(
        "",
        '<rect data-s="{}" x="{}%" width="{}%" height="14" rx="1.5"/>',
        ((key, f"{index * width:.2f}", f"{width * 0.8:.2f}") for index, key in enumerate(cells)),
    )
    return format_html('<svg class="strip" role="img" aria-label="{}">{}</svg>', words, drawn)


@register.filter
def actor(name: str) -> str:
    """Return an actor in words: `user:ada` is `ada`, `key:1a2b` is `API key 1a2b`."""
    kind, _, rest = name.partition(":")
    if kind in SHORT:
        return f"{kind} {short_id(rest)}"
    return f"{ACTORS[kind]}{rest}" if kind in ACTORS else name


@register.filter
def trigger(name: str) -> str:
    """Return what started a run, in words."""
    return TRIGGERS.get(name, name)


@register.filter
def short_id(value: object) -> str:
    """Return the end of an id: the part in which ids of the same second differ."""
    return f"…{str(value)[-8:]}"


@register.simple_tag
def environment() -> str:
    """Return which kind of installation this is."""
    return "development" if settings.DEVELOPMENT else "production"
