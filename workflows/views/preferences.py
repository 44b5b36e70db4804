"""How pages look to one person in one browser: time zone, theme, refreshing, keys. Kept in cookies, for a year."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from dotdo_site.lib import viewer
from workflows.views.answers import see_other
from workflows.views.guard import signed_in

YEAR = 365 * 86_400
THEMES = {
    "auto": gettext_lazy("As the device says"),
    "light": gettext_lazy("Light"),
    "dark": gettext_lazy("Dark"),
}
REFRESHES = {
    "normal": gettext_lazy("Every 2 to 5 seconds"),
    "slow": gettext_lazy("Every 15 seconds"),
    "hand": gettext_lazy("Only when I ask for it"),
}


@require_http_methods(["GET", "POST"])
@signed_in
def preferences(request: HttpRequest) -> HttpResponse:
    """Show the choices; POST keeps them in this browser."""
    chosen = _posted(request) if request.method == "POST" else _kept(request)
    problems = _problems(chosen) if request.method == "POST" else {}
    if request.method == "POST" and not problems:
        messages.success(request, _("Kept for this browser."))
        return _keep(see_other(reverse("preferences")), chosen)
    context = {
        **chosen,
        "zones": viewer.zones(),
        "themes": THEMES,
        "refreshes": REFRESHES,
        "problems": problems,
    }
    return render(request, "preferences.html", context, status=422 if problems else 200)


def _kept(request: HttpRequest) -> dict[str, str]:
    known = viewer.Viewer.of(request.COOKIES)
    return {
        "timezone": str(known.chosen) if known.chosen else "",
        "theme": known.theme or "auto",
        "refresh": known.refresh,
        "shortcuts": known.shortcuts,
    }


def _posted(request: HttpRequest) -> dict[str, str]:
    given = {name: request.POST.get(name, "").strip() for name in ("timezone", "theme", "refresh")}
    return {**given, "shortcuts": "on" if request.POST.get("shortcuts") else "off"}


def _problems(chosen: dict[str, str]) -> dict[str, str]:
    found = {}
    if chosen["timezone"] and viewer.zone_named(chosen["timezone"]) is None:
        found["timezone"] = _("Choose a time zone of the list.")
    if chosen["theme"] not in THEMES:
        found["theme"] = _("Choose one of the themes.")
    if chosen["refresh"] not in REFRESHES:
        found["refresh"] = _("Choose one of the rates.")
    return found


def _keep(response: HttpResponse, chosen: dict[str, str]) -> HttpResponse:
    """Put the choices into cookies that the page's own script may read; no choice of a zone takes its cookie away."""
    for name in viewer.COOKIES:
        if chosen[name]:
            response.set_cookie(name, chosen[name], max_age=YEAR, samesite="Lax", secure=settings.HTTPS)
        else:
            response.delete_cookie(name, samesite="Lax")
    return response
