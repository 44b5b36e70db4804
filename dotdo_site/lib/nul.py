"""No NUL in the addresses of the admin: PostgreSQL takes none, and Django hands the filters on as they came."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

ADMIN = "/admin/"
NUL = "\x00"


class RefuseNul:
    """Answer 400 for an address of the admin that holds a NUL; all other pages judge what they are asked for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on what can name something."""
        if request.path_info.startswith(ADMIN) and _holds_nul(request):
            raise BadRequest("An address cannot hold the NUL character.")
        return self.get_response(request)


def _holds_nul(request: HttpRequest) -> bool:
    asked = (text for name, values in request.GET.lists() for text in (name, *values))
    return NUL in request.path_info or any(NUL in text for text in asked)
