"""Reads a form that a page sent, and tells a form of this server from one that another site sent."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from avtale.domain.errors import Invalid

BODY_BYTES_MAX = 16 * 1024
FIELD_COUNT_MAX = 40


class NotOurForm(Invalid):
    """The form did not come from one of our own pages."""

    code = "not_our_form"


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form that one of our pages sent. Raises NotOurForm, or Invalid (`form_unreadable`)."""
    if not same_origin(request):
        raise NotOurForm("this form was not sent by a page of ours; go back and try again")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Invalid("the body must be application/x-www-form-urlencoded", code="form_unreadable")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise Invalid(f"the form is larger than {BODY_BYTES_MAX} bytes", code="form_unreadable")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELD_COUNT_MAX)
    except ValueError as error:
        raise Invalid("this form cannot be read", code="form_unreadable") from error
    fields = dict(pairs)
    if len(fields) != len(pairs) or any("\0" in value for value in fields.values()):
        raise Invalid("this form cannot be read", code="form_unreadable")
    return fields


def same_origin(request: Request) -> bool:
    """Whether the browser says that one of this server's own pages sent this.

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
