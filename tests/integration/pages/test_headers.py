"""Every answer tells browsers what they may not do: pages, the admin, the documentation, errors of every kind."""

from collections.abc import Callable

import pytest
from csp.constants import NONCE
from csp.decorators import csp_exempt, csp_update
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from dotdo_site.lib.headers import ContentPolicy

Reader = Callable[..., Client]
POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'",
    "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
}  # fmt: skip
OTHERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


def check(answer: object) -> None:
    headers = answer.headers  # type: ignore[attr-defined]
    assert {part.strip() for part in headers["Content-Security-Policy"].split(";") if part.strip()} == POLICY
    assert {name: headers[name] for name in OTHERS} == OTHERS
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/preferences/", 200), ("/password/", 200), ("/nothing/", 404), ("/admin/", 200), ("/api/docs/", 200),
     ("/api/v1/nothing", 404), ("/admin/?x=%00", 400), ("/problems/not-found", 200), ("/healthz", 200)],
)  # fmt: skip
def test_an_answer_to_somebody_who_is_signed_in(reader: Reader, path: str, status: int) -> None:
    answer = reader("Admin", staff=True).get(path)
    assert answer.status_code == status
    check(answer)


@pytest.mark.parametrize("path", ["/", "/sign-in/", "/sign-in/nothing/", "/admin/login/", "/hooks/r/nothing"])
def test_an_answer_to_a_stranger(database: None, path: str) -> None:
    check(Client(headers={"host": "localhost", "accept": "text/html"}).get(path))


def test_an_answer_to_somebody_who_may_not(reader: Reader) -> None:
    answer = reader(None).get("/runs/")
    assert answer.status_code == 403
    check(answer)


def test_an_answer_that_is_our_mistake(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.views.preferences.viewer.zones", lambda: 1 / 0)
    client = reader()
    client.raise_request_exception = False
    answer = client.get("/preferences/")
    assert answer.status_code == 500
    assert "Something went wrong here" in answer.content.decode()
    check(answer)


def test_a_refusal_names_what_is_missing_who_has_it_and_what_the_reader_is(reader: Reader) -> None:
    page = reader("Viewer").get("/notifications/mute/").content.decode()
    assert "workflows.mute_notification" in page
    assert "Operator, Editor, Admin" in page
    assert "Your role is Viewer." in page


def test_an_answer_with_a_policy_of_its_own_keeps_it() -> None:
    @csp_update({"img-src": ["https://example.com"], "script-src": [NONCE]})
    def wider(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(request.csp_nonce))  # type: ignore[attr-defined]

    @csp_exempt()
    def without(_request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    def policy(view: Callable[[HttpRequest], HttpResponseBase]) -> str:
        request = RequestFactory().get("/")
        middleware = ContentPolicy(view)
        middleware.process_request(request)
        return str(middleware.process_response(request, view(request)).headers.get("Content-Security-Policy", ""))

    assert "https://example.com" in policy(wider)
    assert "'nonce-" in policy(wider)
    assert {part.strip() for part in policy(lambda _request: HttpResponse()).split(";")} == POLICY
    assert policy(without) == ""
