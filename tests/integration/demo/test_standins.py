"""The stand-ins behave as the services that they stand for, also across a restart."""

import smtplib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import httpx
import pytest

from dotdo_site.demo.standins.service import Ports, serving

Open = Callable[[], Ports]
CHARGE = {"customer": "usr_1", "card": "tok_visa", "amount": 100, "currency": "eur"}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Start the stand-ins; called again, restart them on the same folder."""
    with ExitStack() as stack:

        def start() -> Ports:
            stack.close()
            return stack.enter_context(serving(tmp_path, Ports(0, 0)))

        yield start


def call(ports: Ports, method: str, path: str, **more: object) -> httpx.Response:
    return httpx.request(method, f"http://127.0.0.1:{ports.http}{path}", trust_env=False, **more)  # type: ignore[arg-type]


def charge(ports: Ports, key: str, **changes: object) -> httpx.Response:
    return call(ports, "POST", "/payments/charges", json={**CHARGE, **changes}, headers={"Idempotency-Key": key})


def mail(ports: Ports, text: str, name: str = "<1@example.com>") -> int:
    """Hand over a mail and return the code of the reply to its text."""
    message = EmailMessage()
    message["Message-ID"], message["Subject"] = name, "Hello"
    message.set_content(text)
    with smtplib.SMTP("127.0.0.1", ports.smtp) as smtp:
        smtp.ehlo()
        smtp.mail("a@example.com")
        smtp.rcpt("b@example.com")
        return smtp.data(message.as_bytes(policy=SMTP))[0]


def test_one_key_means_one_charge_also_after_a_restart(opened: Open) -> None:
    first = charge(opened(), "k")
    ports = opened()
    again = charge(ports, "k")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert [one["asked"] for one in call(ports, "GET", "/payments/charges?customer=usr_1").json()] == [2]
    assert charge(ports, "k", amount=200).status_code == 422


def test_a_charge_is_refused_without_key_without_fields_and_with_a_declined_card(opened: Open) -> None:
    ports = opened()
    assert call(ports, "POST", "/payments/charges", json=CHARGE).status_code == 400
    assert charge(ports, "k", card="tok_declined").status_code == 402
    assert call(ports, "POST", "/payments/charges", content=b"[", headers={"Idempotency-Key": "k"}).status_code == 400
    assert call(ports, "GET", "/payments/charges").json() == []


def test_one_key_means_one_refund_one_reservation_and_one_shipment(opened: Open) -> None:
    ports = opened()
    for path, body in (
        ("/payments/refunds", {"charge": "ch_1"}),
        ("/warehouse/reservations", {"order": "A-1", "items": [{"sku": "notebook", "quantity": 1}]}),
        ("/warehouse/releases", {"reservation": "rs_1"}),
        ("/warehouse/shipments", {"reservation": "rs_1", "address": "London"}),
        ("/billing/invoices", {"customer": "cus_1", "amount": 100}),
    ):
        first, again, other, none = (
            call(ports, "POST", path, json=given, headers={"Idempotency-Key": key} if key else {})
            for given, key in ((body, "k"), (body, "k"), ({**body, next(iter(body)): "other"}, "k"), (body, ""))
        )
        assert [one.status_code for one in (first, again, other, none)] == [201, 200, 422, 400], path
        assert first.json() == again.json()
        assert call(ports, "POST", path, json={}, headers={"Idempotency-Key": "l"}).status_code == 400
    assert [one["asked"] for one in call(ports, "GET", "/payments/refunds").json()] == [2]


def test_nobody_ships_to_nowhere_and_blocked_accounts_get_no_invoice(opened: Open) -> None:
    ports = opened()
    for path, body, status in (
        ("/warehouse/shipments", {"reservation": "rs_1", "address": "Nowhere"}, 422),
        ("/warehouse/reservations", {"order": "A-1", "items": [{"sku": "sold-out", "quantity": 1}]}, 409),
        ("/billing/invoices", {"customer": "cus_blocked", "amount": 1}, 409),
    ):
        assert call(ports, "POST", path, json=body, headers={"Idempotency-Key": "k"}).status_code == status
    assert len(call(ports, "GET", "/billing/customers").json()["customers"]) == 4


def test_a_report_is_done_when_it_is_looked_at_for_the_third_time(opened: Open) -> None:
    ports = opened()
    looks = {}
    for kind in ("revenue", "endless", "impossible"):
        made = call(ports, "POST", "/reports", json={"kind": kind}, headers={"Idempotency-Key": kind}).json()
        looks[kind] = [call(ports, "GET", f"/reports/{made['id']}").json()["status"] for _ in range(4)]
    assert looks == {
        "revenue": ["running", "running", "done", "done"],
        "endless": ["running"] * 4,
        "impossible": ["running", "running", "failed", "failed"],
    }
    assert call(ports, "GET", "/reports/none").status_code == 404


def test_a_locked_record_is_refused_once_also_across_a_restart(opened: Open) -> None:
    path, body = "/crm/records/usr_locked_1", {"status": "customer"}
    assert call(opened(), "PATCH", path, json=body).status_code == 423
    ports = opened()
    assert call(ports, "GET", path).status_code == 404
    assert call(ports, "PATCH", path, json=body).json() == {"id": "usr_locked_1", "revision": 1, **body}


def test_a_mail_is_refused_twice_and_kept_once(opened: Open, tmp_path: Path) -> None:
    ports = opened()
    codes = [mail(ports, "text") for _ in range(4)]
    assert codes == [451, 451, 250, 250]
    assert mail(ports, "text", "<2@example.com>") == 451, "each mail is refused for itself"
    found = call(ports, "GET", "/mail?to=b@example.com").json()
    assert [(one["refused"], one["received"]) for one in found] == [(2, 2), (1, 0)]
    assert len(list((tmp_path / "mail").glob("*.eml"))) == 1


def test_lines_that_begin_with_a_dot_arrive_as_they_were_sent(opened: Open, tmp_path: Path) -> None:
    ports = opened()
    for _ in range(3):
        mail(ports, ".one\n..two\n.\nend")
    kept = next((tmp_path / "mail").glob("*.eml")).read_bytes()
    assert kept.endswith(b"\r\n\r\n.one\r\n..two\r\n.\r\nend\r\n")


def test_commands_out_of_order_are_refused_and_a_session_can_begin_anew(opened: Open) -> None:
    with smtplib.SMTP("127.0.0.1", opened().smtp) as smtp:
        assert smtp.docmd("MAIL", "FROM:<a@example.com>")[0] == 503
        assert smtp.ehlo()[0] == 250
        assert smtp.has_extn("8bitmime")
        assert smtp.docmd("DATA")[0] == 503
        assert smtp.docmd("RCPT", "TO:<b@example.com>")[0] == 503
        assert smtp.docmd("MAIL", "FROM:a@example.com")[0] == 501
        assert smtp.docmd("MAIL", "FROM:<a@example.com> SIZE=10")[0] == 250
        assert smtp.docmd("MAIL", "FROM:<a@example.com>")[0] == 503
        assert smtp.docmd("RCPT", "TO:<>")[0] == 501
        assert smtp.rset()[0] == 250
        assert smtp.docmd("DATA")[0] == 503
        assert smtp.noop()[0] == 250
        assert smtp.docmd("TURN")[0] == 500
        assert smtp.docmd("x" * 3_000)[0] == 500
