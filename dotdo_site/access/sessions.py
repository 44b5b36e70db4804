"""The audit of sign-ins, connected to Django's signals: form, link and admin site all sign in through them."""

from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from audit.recording import record
from dotdo_site.access import addresses, people


@receiver(user_logged_in)
def signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    """Record who signed in, from where."""
    _record("session.signed_in", user, f"user:{user.username}", request)


@receiver(user_logged_out)
def signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    """Record who signed out."""
    if user is not None:
        _record("session.signed_out", user, f"user:{user.username}", request)


@receiver(user_login_failed)
def refused(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Record a refusal of somebody who exists; other names may be passwords in the wrong field, so are not kept."""
    _record_name("session.refused", credentials.get("username"), request)


@receiver(user_locked_out)
def locked(request: HttpRequest, username: str | None = None, **_: Any) -> None:
    """Record that sign-in was locked for somebody who exists."""
    _record_name("session.locked", username, request)


def _record_name(kind: str, name: str | None, request: HttpRequest | None) -> None:
    user = User.objects.filter(username=name).first() if name and "\x00" not in name else None
    if user is not None:
        _record(kind, user, "system", request)


def _record(kind: str, user: User, actor: str, request: HttpRequest | None) -> None:
    address = addresses.client(request) if request is not None else "unknown"
    record(chain=people.chain(user), kind=kind, actor=actor, data={"user": user.username, "address": address})
