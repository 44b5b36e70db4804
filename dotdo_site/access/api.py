"""The base of every API view: what it needs is written down per method, checked before it, and tested for all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from dotdo_site.access import scopes
from dotdo_site.access.models import ApiKey
from dotdo_site.access.rates import Rate

CALLS = Rate(1_200)


@dataclass(frozen=True, slots=True)
class Need:
    """A Django permission of the person, and the scope that a key needs as well. `{name}` is filled from the URL."""

    permission: str
    scope: str


class Allowed(BasePermission):
    """Let through who has the permission and, with a key, the scope; otherwise say which one is missing."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return True. Raises PermissionDenied."""
        needs: Mapping[str, Need] = getattr(view, "needs", {})
        need = needs.get("GET" if request.method in {"HEAD", "OPTIONS"} else str(request.method))
        if need is not None:
            require(request, need, view.kwargs)
        return True


def require(request: Request, need: Need, kwargs: Mapping[str, Any] | None = None) -> None:
    """Check one need. Raises PermissionDenied, naming what is missing."""
    scope = need.scope.format(**(kwargs or {}))
    if isinstance(request.auth, ApiKey) and not scopes.covers(request.auth.scopes, scope):
        raise PermissionDenied(f"This API key does not have the scope {scope}.")
    if not request.user.has_perm(need.permission):
        whose = "The owner of this API key does" if isinstance(request.auth, ApiKey) else "You do"
        raise PermissionDenied(f"{whose} not have the permission {need.permission}: an administrator can give a role.")


class PerCaller(BaseThrottle):
    """Limit the requests of one key, or of one person, per minute; all processes share the count."""

    def allow_request(self, request: Request, _view: APIView) -> bool:
        """Count the request and tell whether it is within the limit."""
        self._wait = CALLS.take(_subject(request))
        return self._wait is None

    def wait(self) -> float | None:
        """Return the seconds until the next window."""
        return self._wait


class ApiView(APIView):
    """A view of the API. Methods without an entry in `needs` are not served."""

    needs: ClassVar[Mapping[str, Need]] = {}
    permission_classes = (IsAuthenticated, Allowed)
    throttle_classes = (PerCaller,)

    @property
    def allowed_methods(self) -> list[str]:
        """Return the methods that are served."""
        return [*(method for method in ("GET", "POST", "PUT") if method in self.needs), "OPTIONS"]


def _subject(request: Request) -> str:
    return f"key:{request.auth.pk}" if isinstance(request.auth, ApiKey) else f"user:{request.user.pk}"
