"""How pages answer a POST."""

from django.http import HttpResponse


def see_other(url: str) -> HttpResponse:
    """Lead to another page, which is then read with GET: reloading it repeats nothing."""
    return HttpResponse(status=303, headers={"Location": url})
