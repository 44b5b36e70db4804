"""The warehouse and its carrier: goods are reserved, released, shipped. Nobody ships to Nowhere."""

from http import HTTPStatus

from dotdo_site.demo.standins.answers import Answer, Request, refused
from dotdo_site.demo.standins.once import done, once
from dotdo_site.demo.standins.store import Store

SOLD_OUT = "sold-out"
NOWHERE = "nowhere"


def reserve(store: Store, request: Request) -> Answer:
    """Set the items of an order aside."""
    if any(item.get("sku") == SOLD_OUT for item in request.body.get("items", [])):
        return refused(HTTPStatus.CONFLICT, "sold_out", f"{SOLD_OUT} is sold out")
    order = request.body.get("order")
    return once(store, request, "reservation", "rs", ("order", "items"), f"reserved the items of {order}")


def reservations(store: Store, request: Request) -> Answer:
    """List the reservations."""
    del request
    return done(store, "reservation")


def release(store: Store, request: Request) -> Answer:
    """Put the items of a reservation back."""
    reservation = request.body.get("reservation")
    return once(store, request, "release", "rl", ("reservation",), f"released {reservation}")


def releases(store: Store, request: Request) -> Answer:
    """List the releases."""
    del request
    return done(store, "release")


def ship(store: Store, request: Request) -> Answer:
    """Hand the items of a reservation to the carrier, who refuses an address that does not exist."""
    address = str(request.body.get("address", ""))
    if NOWHERE in address.lower():
        return refused(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_address", f"there is no {address}")
    shipped = once(store, request, "shipment", "sh", ("reservation", "address"), f"shipped to {address}")
    if shipped.status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer(shipped.status, {**shipped.content, "tracking": f"TR-{shipped.content['id'][3:]}"}, shipped.said)
    return shipped
