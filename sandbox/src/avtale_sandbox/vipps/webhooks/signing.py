"""Signs what is sent to a webhook, so that its receiver can tell it from a forgery."""

from __future__ import annotations

import base64
import hashlib
import hmac
from email.utils import formatdate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yarl import URL


def target_of(url: str) -> URL:
    """The address to send to, kept letter for letter when it is plain ASCII; raises ValueError."""
    from yarl import URL  # late, as the client that it comes with

    target = URL(url, encoded=url.isascii())
    if target.scheme not in ("http", "https") or not target.host:
        raise ValueError("must be an http or https address")
    return target


def host_of(target: URL) -> str:
    """What the Host header says: the port only when it is not the scheme's own."""
    host = target.host_subcomponent or ""
    return host if target.is_default_port() or target.port is None else f"{host}:{target.port}"


def signed_headers(secret: str, target: URL, body: bytes, date: str | None = None) -> dict[str, str]:
    """The headers of one delivery (Vipps Webhooks, request authentication).

    `date` is RFC 1123 wall time, now if not given. The key is the secret's UTF-8 octets as they are, even
    though the secret looks like base64.
    """
    date = date or formatdate(usegmt=True)
    host = host_of(target)
    content = base64.b64encode(hashlib.sha256(body).digest()).decode()
    text = f"POST\n{target.raw_path_qs}\n{date};{host};{content}"
    signature = base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha256")).decode()
    return {
        "Content-Type": "application/json",
        "Host": host,
        "x-ms-date": date,
        "x-ms-content-sha256": content,
        "Authorization": f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}",
    }
