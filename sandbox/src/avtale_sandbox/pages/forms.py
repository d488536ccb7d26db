"""Reads a form that a page sent, and tells a form of this server from one that another site sent."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

BODY_BYTES_MAX = 64 * 1024
FIELD_COUNT_MAX = 200


class NotAForm(ValueError):
    """The body is not `application/x-www-form-urlencoded`, or is larger than any form of ours."""


async def read_form(request: Request) -> list[tuple[str, str]]:
    """Give the fields in order, doubled ones included; raises NotAForm."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise NotAForm("the body must be application/x-www-form-urlencoded")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise NotAForm(f"the form is larger than {BODY_BYTES_MAX} bytes")
    return pairs(bytes(body))


def pairs(encoded: bytes) -> list[tuple[str, str]]:
    """Decode `a=1&b=2`; bytes that are not UTF-8 become replacement characters; raises NotAForm."""
    try:
        return parse_qsl(
            encoded.decode("utf-8", "replace"),
            keep_blank_values=True,
            errors="replace",
            max_num_fields=FIELD_COUNT_MAX,
        )
    except ValueError as problem:
        raise NotAForm(f"the form has more than {FIELD_COUNT_MAX} fields") from problem


def same_origin(request: Request) -> bool:
    """Whether the browser says that one of this server's own pages sent the form.

    Browsers set `Sec-Fetch-Site` and `Origin` themselves and no script can change them, so they tell a form
    that another site's page submits in the visitor's name. A request that carries neither is refused.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        authority = urlsplit(request.headers.get("origin", "")).netloc
    except ValueError:
        return False
    return bool(authority) and authority.lower() == request.headers.get("host", "").lower()
