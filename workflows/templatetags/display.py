"""How values look on a page: statuses, times in the viewer's zone, numbers, durations, names of actors."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.conf import settings
from django.utils import formats, timezone
from django.utils.dates import MONTHS_3
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language_bidi, gettext_noop
from django.utils.translation import gettext as _

from workflows.queries import LABELS
from workflows.templatetags.icons import glyph

register = template.Library()

NOTHING = "\u2013"
MAX_CELLS, LEAST_CELLS = 12, 6
# words, seconds of the small unit, how many make a large one, how many are too many
UNITS = (
    (gettext_noop("%(large)d m %(small)02d s"), 1, 60, 3_600),
    (gettext_noop("%(large)d h %(small)02d m"), 60, 60, 1_440),
    (gettext_noop("%(large)d d %(small)02d h"), 3_600, 24, 10**9),
)
STEP_LABELS = {
    "ready": (gettext_noop("Due"), "queued"),
    "held": (gettext_noop("Held"), "queued"),
    "failed": (gettext_noop("Failed"), "failed"),
    "skipped": (gettext_noop("Skipped"), "skipped"),
    "caught": (gettext_noop("Failed, caught"), "caught"),
    "crashed": (gettext_noop("Crashed"), "failed"),
    "superseded": (gettext_noop("Superseded"), "cancelled"),
}
ACTORS = {
    "key": gettext_noop("API key %s"),
    "cli": gettext_noop("command line, %s"),
    "schedule": gettext_noop("schedule of %s"),
    "endpoint": gettext_noop("endpoint %s"),
    "worker": gettext_noop("worker %s"),
    "run": gettext_noop("run %s"),
}
SHORT = ("worker", "run")
TRIGGERS = {
    "api": gettext_noop("API"),
    "page": gettext_noop("page"),
    "cli": gettext_noop("command line"),
    "schedule": gettext_noop("schedule"),
    "event": gettext_noop("event"),
    "again": gettext_noop("run again"),
}
MESSAGE_STATES = {
    "waiting": gettext_noop("Waiting"),
    "sent": gettext_noop("Sent"),
    "dropped": gettext_noop("Dropped"),
    "dead": gettext_noop("Dead"),
    "gone": gettext_noop("Gone"),
}
SUBJECTS = {"rule": gettext_noop("Rule"), "definition": gettext_noop("Definition"), "run": gettext_noop("Run")}
TOASTS = {"error": "failed", "success": "succeeded", "warning": "retrying"}


def describe_label(label: str) -> tuple[str, str]:
    """Return (word, status key) of the label of a run, a step or an attempt."""
    word, key = LABELS.get(label) or STEP_LABELS.get(label) or (label.replace("_", " ").capitalize(), "queued")
    return _(word), key


def seconds_text(seconds: float) -> str:
    """Return a duration in the units that matter: `360 ms`, `8.4 s`, `16 m 01 s`, `3 h 12 m`, `2 d 04 h`."""
    milliseconds, tenths = round(max(seconds, 0) * 1_000), round(seconds * 10)
    if milliseconds < 1_000:
        return _("%(count)d ms") % {"count": milliseconds}
    if tenths < 600:
        return _("%(count)s s") % {"count": formats.number_format(tenths / 10, 1)}
    words, size, factor, _too_many = next(unit for unit in UNITS if round(seconds / unit[1]) < unit[3])
    count = round(seconds / size)
    return _(words) % {"large": count // factor, "small": count % factor}


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


@register.filter
def percent(share: float) -> str:
    """Return a share as per cent: `99.5 %`, and `100 %` only for all of it."""
    tenths = int(share * 1000)
    return f"{number(tenths // 10 if not tenths % 10 else tenths / 10)} %"


@register.filter
def number(value: float | None) -> str:
    """Return a number with separators between the thousands; nothing known is a dash."""
    return NOTHING if value is None else formats.number_format(value, force_grouping=True)


@register.simple_tag
def moment(at: datetime | None, style: str = "full") -> SafeString | str:
    """Show a time in the zone of the viewer, in UTC on hover.

    `full` with the date, `clock` without, `short` with the date only when it is not today, `day` the date only.
    """
    if at is None:
        return NOTHING
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(),
        f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        moment_text(at, style),
    )


@register.filter
def moment_text(at: datetime, style: str = "full") -> str:
    """Return a time in the zone of the viewer as plain text; `style` as for `moment`."""
    local, now = timezone.localtime(at), timezone.localtime()
    clock = f"{local:%H:%M:%S}"
    if style == "clock" or (style == "short" and local.date() == now.date()):
        return clock
    day = f"{local.day} {MONTHS_3[local.month].title()}"
    if local.year != now.year:
        day = f"{day} {local.year}"
    return day if style == "day" else f"{day}, {clock}"


@register.simple_tag
def zone() -> str:
    """Return the name of the zone in which times are shown."""
    return str(timezone.get_current_timezone())


@register.simple_tag
def steps_strip(run: Any) -> SafeString:
    """Draw how far a run is: a cell per step, many of one kind together, never more than twelve."""
    counts = (("succeeded", run.steps_done), ("failed", run.steps_failed), (tone(run.label), run.steps_open))
    words = _("%(done)d done, %(open)d open, %(failed)d failed") % {
        "done": run.steps_done,
        "open": run.steps_open,
        "failed": run.steps_failed,
    }
    total = sum(count for _, count in counts)
    if not total:
        return format_html('<span class="muted">{}<span class="vh">{}</span></span>', NOTHING, _("no steps yet"))
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
    kind, colon, rest = name.partition(":")
    if kind == "system":
        return _("system")
    if kind == "user" and colon:
        return rest
    return _(ACTORS[kind]) % (short_id(rest) if kind in SHORT else rest) if kind in ACTORS else name


@register.filter
def trigger(name: str) -> str:
    """Return what started a run, in words."""
    return _(TRIGGERS[name]) if name in TRIGGERS else name


@register.filter
def short_id(value: object) -> str:
    """Return the end of an id: the part in which ids of the same second differ."""
    return f"…{str(value)[-8:]}"


@register.filter
def message_state(state: str) -> str:
    """Return the state of a message in words."""
    return _(MESSAGE_STATES[state]) if state in MESSAGE_STATES else state


@register.filter
def subject(name: str) -> str:
    """Return what a mute is about, in words."""
    return _(SUBJECTS[name]) if name in SUBJECTS else name


@register.filter
def toast(level: str) -> str:
    """Return the status key of a message's level."""
    return TOASTS.get(level, "running")


@register.simple_tag
def direction() -> str:
    """Return which way the language is written."""
    return "rtl" if get_language_bidi() else "ltr"


@register.simple_tag
def environment() -> str:
    """Return which kind of installation this is."""
    return _("development") if settings.DEVELOPMENT else _("production")
