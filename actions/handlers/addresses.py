"""Which addresses the outside may have. The deny list is written out: `ipaddress.is_global` differs between Pythons."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DENIED = tuple(
    ipaddress.ip_network(text)
    for text in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "168.63.129.16/32",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    ]
)
GLOBAL_V6 = ipaddress.ip_network("2000::/3")
# IPv6 forms whose last 32 bits are an IPv4 address that the packet may end up at.
EMBEDDING = tuple(
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96")
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry of the allow-list: a host name, an address or a network, on one port or on all."""

    host: str
    network: Network | None
    port: int | None

    def covers(self, host: str, address: Address, port: int) -> bool:
        """Tell whether a connection to `address`, asked for as `host`, is allowed by this entry."""
        if self.port not in (None, port):
            return False
        if self.network is None:
            return self.host == host
        return address.version == self.network.version and address in self.network


def parse(entry: str) -> Allowed:
    """Read `host`, `host:port`, `ip`, `ip:port`, `[v6]:port` or a CIDR network. Raises ValueError."""
    host, port = _split(entry.strip().lower())
    if not host:
        raise ValueError(f"{entry!r} names no host")
    try:
        return Allowed(host, ipaddress.ip_network(host), port)
    except ValueError:
        if "/" in host or ":" in host or host.replace(".", "").isdigit():
            raise ValueError(f"{entry!r} is not host, host:port, address, address:port or network") from None
        return Allowed(host.rstrip("."), None, port)


def is_public(address: Address) -> bool:
    """Tell whether an address is on the public internet, whatever it is wrapped in."""
    plain = unwrap(address)
    if plain.version == 6 and plain not in GLOBAL_V6:
        return False
    return not any(plain.version == network.version and plain in network for network in DENIED)


def unwrap(address: Address) -> Address:
    """Return the IPv4 address inside an IPv4-mapped, 6to4, Teredo or NAT64 address, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inner is None and any(address in network for network in EMBEDDING):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


def is_allowed(entries: Iterable[Allowed], host: str, address: Address, port: int) -> bool:
    """Tell whether an entry of the allow-list covers the connection."""
    candidates = {address, unwrap(address)}
    return any(entry.covers(host, one, port) for entry in entries for one in candidates)


def _split(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, _port(entry, rest.removeprefix(":")) if rest else None
    if entry.count(":") == 1:
        host, _, port = entry.partition(":")
        return host, _port(entry, port)
    return entry, None


def _port(entry: str, text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65_536:
        raise ValueError(f"{entry!r}: {text!r} is not a port")
    return int(text)
