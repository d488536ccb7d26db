"""People in paths: an administrator names somebody by the subject of their tokens, encoded."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated
from urllib.parse import unquote

from fastapi import Path, Query

EncodedId = Annotated[
    str,
    Path(
        alias="encodedId",
        min_length=1,
        max_length=2048,
        description="the subject of the person's tokens: base64url without padding, or percent-encoded",
    ),
]
IssuerName = Annotated[
    str | None,
    Query(alias="issuer", max_length=1024, description="whose subject it is, where the tenant has several issuers"),
]


def encode_subject(subject: str) -> str:
    """The form that needs no escaping anywhere: base64url without padding of its UTF-8."""
    return base64.urlsafe_b64encode(subject.encode()).decode().rstrip("=")


def subjects(encoded: str) -> list[str]:
    """What an encoded id may stand for: the subject it decodes to, if it is canonical base64url, then it itself."""
    encoded = unquote(encoded)
    try:
        decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return [encoded]
    canonical = decoded.isprintable() and encode_subject(decoded) == encoded.rstrip("=")
    return [decoded, encoded] if canonical else [encoded]
