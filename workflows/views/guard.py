"""Who may open a page. The refusal is a page that names what is missing and which roles have it."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from dotdo_site.access.people import roles_of, roles_with
from workflows.views.permissions import may

View = Callable[..., HttpResponseBase]


def needs(permission: str) -> Callable[[View], View]:
    """Let only people with `permission` through: others see what they lack, strangers are asked to sign in.

    The answers are never cached: they show what one person may see.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if not may(request, permission):
                return refuse(request, permission)
            return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]  # read by the matrix test
        return never_cache(guarded)

    return decorate


def signed_in(view: View) -> View:
    """Let everybody through who is signed in; strangers are asked to sign in."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return view(request, *args, **kwargs)

    guarded.permission = ""  # type: ignore[attr-defined]  # read by the matrix test
    return never_cache(guarded)


def refuse(request: HttpRequest, permission: str) -> HttpResponse:
    """Answer 403 and say which permission is missing and which roles have it."""
    roles = roles_with([permission])[permission]
    context = {"permission": permission, "roles": roles, "own_roles": roles_of(request.user)}
    return render(request, "403.html", context, status=403)
