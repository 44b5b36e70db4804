"""Who calls the API: `Authorization: Bearer dotdo_…`, or the session of a signed-in person."""

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from dotdo_site.access import addresses, keys
from dotdo_site.access.models import ApiKey
from dotdo_site.access.rates import Rate

# Guessing 190 bits is hopeless; this bounds what a flood of wrong keys costs. A right key is never refused for the
# wrong ones that others send from the same address.
FAILURES = Rate(30)


class ApiKeyAuthentication(BaseAuthentication):
    """Authenticate with an API key, taken from the header only. `request.auth` is the ApiKey."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        """Return the owner and the key, None when no key was sent. Raises AuthenticationFailed, Throttled."""
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").encode("latin-1").partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        now = timezone.now()
        key = keys.verify(token.strip().decode("latin-1"), now)
        if key is None:
            raise _refusal(request)
        keys.note_use(key, now)
        return key.owner, key

    def authenticate_header(self, _request: Request) -> str:
        """Return the challenge of a 401."""
        return 'Bearer realm="dotdo"'


def actor(request: Request) -> str:
    """Return who acts, as it is written to the audit trail: `key:<prefix>` or `user:<name>`."""
    if isinstance(request.auth, ApiKey):
        return f"key:{request.auth.prefix}"
    return f"user:{request.user.get_username()}"


def _refusal(request: Request) -> AuthenticationFailed | Throttled:
    wait = FAILURES.take(f"ip:{addresses.client(request)}")
    if wait is not None:
        return Throttled(wait)
    return AuthenticationFailed("This API key is not valid: it is unknown, expired, revoked, or cut off.")
