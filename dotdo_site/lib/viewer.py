"""How a viewer wants pages to look: kept in cookies, so that pages work without a script and a script may write them.

Only pages know a viewer. The API speaks UTC whatever the cookies say.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import patch_vary_headers

API = "/api/"
PLACES = re.compile(r"(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)/|UTC$")
NAME = re.compile(r"[A-Za-z0-9_+/-]{1,64}")
# What browsers call places by their former names, which not every system knows any more.
FORMER = {
    "Africa/Asmera": "Africa/Asmara",
    "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
    "America/Catamarca": "America/Argentina/Catamarca",
    "America/Cordoba": "America/Argentina/Cordoba",
    "America/Godthab": "America/Nuuk",
    "America/Indianapolis": "America/Indiana/Indianapolis",
    "America/Jujuy": "America/Argentina/Jujuy",
    "America/Louisville": "America/Kentucky/Louisville",
    "America/Mendoza": "America/Argentina/Mendoza",
    "Asia/Calcutta": "Asia/Kolkata",
    "Asia/Katmandu": "Asia/Kathmandu",
    "Asia/Rangoon": "Asia/Yangon",
    "Asia/Saigon": "Asia/Ho_Chi_Minh",
    "Atlantic/Faeroe": "Atlantic/Faroe",
    "Europe/Kiev": "Europe/Kyiv",
    "Pacific/Ponape": "Pacific/Pohnpei",
    "Pacific/Truk": "Pacific/Chuuk",
}
THEMES = ("auto", "light", "dark")
REFRESHES = ("normal", "slow", "hand")
SHORTCUTS = ("on", "off")
COOKIES = ("timezone", "theme", "refresh", "shortcuts")


@dataclass(frozen=True)
class Viewer:
    """What a viewer chose. `zone` None: nothing usable, which means UTC; `theme` empty: nothing.

    `chosen` is the zone of the preferences page; without one the zone is that which the browser named.
    """

    zone: ZoneInfo | None = None
    chosen: ZoneInfo | None = None
    theme: str = ""
    refresh: str = "normal"
    shortcuts: str = "on"

    @classmethod
    def of(cls, cookies: dict[str, str]) -> "Viewer":
        """Read the cookies; what nobody can have chosen is ignored."""
        chosen = zone_named(cookies.get("timezone", ""))
        return cls(
            chosen or zone_named(cookies.get("zone", "")),
            chosen,
            _one_of(THEMES, cookies.get("theme"), ""),
            _one_of(REFRESHES, cookies.get("refresh"), "normal"),
            _one_of(SHORTCUTS, cookies.get("shortcuts"), "on"),
        )


class KnowTheViewer:
    """Read what the viewer chose, and show the times of pages in the chosen zone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer in the viewer's zone, and say that the answer depends on the cookies."""
        if request.path_info.startswith(API):
            return self.get_response(request)
        viewer = Viewer.of(request.COOKIES)
        request.viewer = viewer  # type: ignore[attr-defined]
        with timezone.override(viewer.zone):
            response = self.get_response(request)
        patch_vary_headers(response, ["Cookie"])
        return response


@cache
def zones() -> tuple[str, ...]:
    """Return the names of the zones that a person can choose."""
    return tuple(sorted(name for name in available_timezones() if PLACES.match(name)))


def zone_named(name: str) -> ZoneInfo | None:
    """Return the zone of this name; nothing for what names none."""
    if not NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(FORMER.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _one_of(choices: tuple[str, ...], chosen: str | None, otherwise: str) -> str:
    return chosen if chosen in choices else otherwise
