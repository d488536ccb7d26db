"""Which addresses events may be sent to: those that a stranger may name must not lead into our own network."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from avtale.domain.errors import Invalid

URL_LENGTH_MAX = 1024
#: Addresses of IPv6 that stand for one of IPv4 in their last four bytes (RFC 6052).
_TRANSLATED = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody on the internet could mean by it."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _TRANSLATED:
            inner = IPv4Address(ip.packed[-4:])
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def check_endpoint(url: str, *, private_networks: bool, secure_only: bool) -> None:
    """Refuse an address that events should not go to. A name is looked up, and checked again, at each delivery.

    Raises Invalid (`endpoint_address`).
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused("it is no address") from error
    if len(url) > URL_LENGTH_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise _refused(f"it has at most {URL_LENGTH_MAX} letters, percent-encoded")
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or parts.fragment:
        raise _refused("it is https://, with a host, without user or fragment")
    if secure_only and parts.scheme != "https":
        raise _refused("events of real payments go to https:// only")
    if not private_networks and not _may_be_public(host):
        raise _refused("it leads into a private network, which the tenant's file does not allow")


def _may_be_public(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host != "localhost" and not host.endswith((".localhost", ".local", ".internal"))
    return is_public(host)


def _refused(why: str) -> Invalid:
    return Invalid(f"events cannot be sent to this address: {why}", code="endpoint_address")
