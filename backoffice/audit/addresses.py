"""Where a request comes from: the one place that decides it.

What stands in `X-Forwarded-For` anybody can write. It counts only as far as proxies of ours wrote
it: BACKOFFICE_PROXIES names their networks (and "unix" for a proxy that connects by a socket file).
The header is read from its end: each address that is a proxy of ours leads on to the one before it;
the first that is none is the client.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

UNIX = "unix"
_HEADER = "HTTP_X_FORWARDED_FOR"
# A header of more hops is nobody's proxy chain; only its end is read.
_MOST_HOPS = 20
# One customer line of IPv6 has at least so many bits of its own.
_IPV6_PREFIX = 64


def client_address(request: HttpRequest) -> str:
    """Return the address of the client, or "" where there is none (a socket file)."""
    peer = _address(str(request.META.get("REMOTE_ADDR", "")))
    if not _is_proxy(peer):
        return _text(peer)
    nearest = peer
    for hop in reversed(str(request.META.get(_HEADER, "")).split(",")[-_MOST_HOPS:]):
        found = _address(hop.strip())
        if found is None:  # not what a proxy writes: what stands before it counts even less
            break
        nearest = found
        if not _is_proxy(found):
            break
    return _text(nearest)


def line_of(address: str) -> str:
    """Return what stands for one customer line in counts: the address, of IPv6 its /64 network."""
    found = _address(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, _IPV6_PREFIX), strict=False))
    return _text(found)


def network(text: str) -> Network:
    """Return the network of "10.0.0.0/8" or of one address. Raises ValueError."""
    return ip_network(text.strip(), strict=False)


def within(address: str, networks: list[str]) -> bool:
    """Say whether the address lies in one of the networks."""
    found = _address(address)
    return found is not None and any(_contains(network(text), found) for text in networks)


def _is_proxy(address: Address | None) -> bool:
    proxies = settings.BACKOFFICE_PROXIES
    if address is None:
        return UNIX in proxies
    return any(_contains(network(text), address) for text in proxies if text != UNIX)


def _contains(net: Network, address: Address) -> bool:
    return net.version == address.version and address in net


def _address(text: str) -> Address | None:
    """Read an address; IPv4 written as IPv6 is IPv4, so that it cannot count twice."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found


def _text(address: Address | None) -> str:
    return "" if address is None else str(address)
