"""The billing service: whom to invoice, and the invoices. The account of one customer is blocked."""

from http import HTTPStatus

from dotdo_site.demo.standins.answers import Answer, Request, refused
from dotdo_site.demo.standins.once import done, once
from dotdo_site.demo.standins.store import Store

BLOCKED = "cus_blocked"
CUSTOMERS = ("cus_ada", "cus_grace", BLOCKED, "cus_alan")


def customers(store: Store, request: Request) -> Answer:
    """List the customers of this month."""
    del store, request
    found = [
        {"customer": name, "email": f"{name}@example.com", "amount": 1_900 + 100 * index}
        for index, name in enumerate(CUSTOMERS)
    ]
    return Answer(HTTPStatus.OK, {"customers": found})


def invoice(store: Store, request: Request) -> Answer:
    """Invoice a customer."""
    customer = request.body.get("customer")
    if customer == BLOCKED:
        return refused(HTTPStatus.CONFLICT, "account_blocked", f"the account of {customer} is blocked")
    return once(store, request, "invoice", "in", ("customer", "amount"), f"invoiced {customer}")


def invoices(store: Store, request: Request) -> Answer:
    """List the invoices."""
    del request
    return done(store, "invoice")
