"""What the reader may do, and the name under which it is recorded."""

from django.http import HttpRequest


def may(request: HttpRequest, permission: str) -> bool:
    """Tell whether the reader has a permission, given as `app.codename`."""
    return request.user.is_authenticated and request.user.has_perm(permission)


def actor(request: HttpRequest) -> str:
    """Return the actor that operations record for this request."""
    return f"user:{request.user.get_username()}"


def owner(request: HttpRequest) -> int:
    """Return the number of the reader, who is signed in, for what is kept for one person."""
    return int(request.user.pk or 0)
