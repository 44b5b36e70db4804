"""Where a request comes from."""

from ipaddress import AddressValueError, IPv6Address, ip_address, ip_network

from django.http import HttpRequest

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_VIA")


def client(request: HttpRequest) -> str:
    """Return the peer's address; an IPv6 one as its /64, because one customer owns all of it."""
    text = str(request.META.get("REMOTE_ADDR") or "unknown")
    try:
        address = ip_address(text)
    except (AddressValueError, ValueError):
        return "unknown"
    if isinstance(address, IPv6Address) and not address.ipv4_mapped:
        return str(ip_network((address, 64), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)


def is_loopback(request: HttpRequest) -> bool:
    """Tell whether the request comes from this machine, and not through a proxy that runs on it."""
    if any(request.META.get(name) for name in FORWARDED):
        return False
    try:
        return ip_address(str(request.META.get("REMOTE_ADDR", ""))).is_loopback and _names_loopback(request.get_host())
    except ValueError:
        return False


def _names_loopback(host: str) -> bool:
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return name == "localhost" or ip_address(name.strip("[]")).is_loopback
