"""The applications that may ask the issuer for tokens, and where it may send people back to."""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from urllib.parse import urlsplit

from msgspec import Struct

DEFAULT_AUDIENCE = "avtale"


class Client(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One registered application. Without a secret it is public, and must use PKCE (RFC 7636, S256).

    `any_loopback` lets it return to any address of this machine, whatever the port. A `machine` speaks in its
    own name, with these roles, and nobody signs in to it. `audience` is what its tokens are for.
    """

    client_id: str
    name: str
    client_secret: str | None = None
    redirect_uris: tuple[str, ...] = ()
    any_loopback: bool = False
    machine: bool = False
    roles: tuple[str, ...] = ()
    audience: str = DEFAULT_AUDIENCE

    def knows(self, secret: str) -> bool:
        """Compare a secret in constant time; a public application knows none."""
        if self.client_secret is None:
            return False
        return hmac.compare_digest(_octets(self.client_secret), _octets(secret))

    def may_return_to(self, uri: str) -> bool:
        """Whether a browser may be sent to this address: registered to the letter, or loopback if allowed."""
        return uri in self.redirect_uris or (self.any_loopback and is_loopback(uri))

    def check(self) -> None:
        """Raises ValueError unless the registration makes sense."""
        if not self.client_id or not self.client_id.isprintable():
            raise ValueError("clientId must not be empty")
        if self.machine and not self.client_secret:
            raise ValueError("a machine needs a clientSecret")
        if self.client_secret == "":
            raise ValueError("clientSecret must not be empty; leave it out for a public application")
        for uri in self.redirect_uris:
            try:
                parts = urlsplit(uri)
            except ValueError:
                raise ValueError(f"not a redirect URI: {uri!r}") from None
            if not parts.scheme or parts.scheme in ("javascript", "data", "vbscript") or "#" in uri:
                raise ValueError(f"not a redirect URI: {uri!r}")


DEFAULT_CLIENTS = (
    Client(client_id="dev-web", name="Demo application", any_loopback=True),
    Client(
        client_id="dev-machine",
        name="Demo machine",
        client_secret="dev-machine-secret",
        machine=True,
        roles=("avtale:admin",),
    ),
)


def is_loopback(uri: str) -> bool:
    """Whether a web address names this machine: 127.0.0.0/8, [::1], localhost or a name below it."""
    # With a space, a control letter, a backslash or a user part, browsers and parsers may differ on the host.
    if any(letter <= " " or letter in "\x7f\\" for letter in uri):
        return False
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or "#" in uri or "@" in parts.netloc:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "replace")
