"""The doors for webhooks, open to strangers: what lets a request in is its token or its signature, never a session.

GET only shows a page with a button: programs that look at links in mails before people do must not set anything off.
"""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import Throttled
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dotdo_site.access import addresses
from dotdo_site.access.rates import Rate
from dotdo_site.lib import problems
from dotdo_site.lib.problems import BadRequest
from dotdo_site.lib.strict_json import TooLarge
from workflows import bodies, cloudevents, hooks, operations, queries

KNOCKS, STRANGERS = Rate(1_200), Rate(60)
NUMBERS = ("webhook-id", "x-github-delivery", "idempotency-key")
LONGEST_NUMBER = 255


class AnyAnswer(BaseContentNegotiation):
    """Whoever knocks gets JSON; the views look themselves for those who want a page."""

    def select_parser(self, _request: Request, parsers: Any) -> Any:
        """Return a parser that is never used: bodies are taken as they come."""
        return parsers[0]

    def select_renderer(self, _request: Request, renderers: Any, _suffix: str | None = None) -> Any:
        """Return JSON."""
        return renderers[0], renderers[0].media_type


@method_decorator(never_cache, name="dispatch")
class Door(APIView):
    """What all doors have in common: no session, no key, errors as pages for those who look at pages."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    content_negotiation_class = AnyAnswer

    def handle_exception(self, exc: Exception) -> Response:
        """Answer an error with a problem document, or with a page that says the same."""
        if not _wants_page(self.request):
            return super().handle_exception(exc)
        problem = problems.problem_of(exc)
        page = render(self.request, "hooks/refused.html", {"problem": problem}, status=problem.status)
        for name, value in problem.headers.items():
            page[name] = value
        return page  # type: ignore[return-value]


@extend_schema(exclude=True)
class RunHook(Door):
    """The address of one run."""

    http_method_names = ["get", "head", "post"]

    def get(self, request: Request, token: str, name: str = "") -> HttpResponse:
        """Show a button that sends, unless the run is over; nothing happens before it is pressed."""
        over = queries.mailbox(_run(request, token))
        if over is None:
            raise Http404("This address belongs to no run.")
        if over:
            return render(request, "hooks/over.html")
        return render(request, "hooks/confirm.html", {"name": name, "number": uuid4()})

    def post(self, request: Request, token: str, name: str = "") -> HttpResponse | Response:
        """Deliver what was sent to the run."""
        run_id = _run(request, token)
        if len(request.body) > cloudevents.MAX_BYTES:
            raise TooLarge(f"the body is longer than {cloudevents.MAX_BYTES} bytes")
        delivered = operations.receive_webhook(
            run_id,
            bodies.content(request.headers.get("Content-Type", ""), request.body),
            number=_number(request),
            name=name,
            at=_now(),
        )
        taken = bool(delivered.runs)
        if _wants_page(request):
            return render(request, "hooks/received.html", {"name": name, "taken": taken})
        return Response(
            {"event": delivered.event_id, "created": delivered.created, "delivered": taken},
            status=202 if delivered.created else 200,
        )


@extend_schema(exclude=True)
class SignedDoor(Door):
    """A named endpoint; who may send is told by the signature."""

    http_method_names = ["post"]

    def post(self, request: Request, name: str) -> Response:
        """Take the message, once."""
        _knock(request, "endpoint " + name)
        headers = {header.lower(): value for header, value in request.headers.items()}
        accepted = operations.receive_signed(name, operations.Incoming(headers, request.body, _now()))
        outcome = "replayed" if accepted.replayed else "accepted"
        return Response({"outcome": outcome, "run": accepted.run_id, "event": accepted.event_id})


def _run(request: Request, token: str) -> UUID:
    """Return the run whose token this is. Raises Http404, Throttled."""
    run_id = hooks.run_of(token)
    if run_id is None:
        _limit(STRANGERS, f"hook:?:{addresses.client(request)}")
        raise Http404("This address belongs to no run.")
    _knock(request, f"run {run_id}")
    return run_id


def _knock(request: Request, door: str) -> None:
    digest = hashlib.sha256(door.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    _limit(KNOCKS, f"hook:{digest}:{addresses.client(request)}")


def _limit(rate: Rate, subject: str) -> None:
    wait = rate.take(subject)
    if wait is not None:
        raise Throttled(wait)


def _number(request: Request) -> str:
    """Return what makes the request once: its own number, or that of the page whose button was pressed."""
    given = [request.headers[name] for name in NUMBERS if request.headers.get(name)]
    number = given[0] if given else request.GET.get("once") or str(uuid4())
    if len(number) > LONGEST_NUMBER or not number.isprintable():
        raise BadRequest(f"the number of a delivery has 1 to {LONGEST_NUMBER} printable characters")
    return str(number)


def _wants_page(request: Any) -> bool:
    return "text/html" in request.headers.get("Accept", "")


def _now() -> datetime:
    return timezone.now()
