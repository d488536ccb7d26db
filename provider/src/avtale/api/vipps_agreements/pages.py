"""The few pages that people meet on the way, when there is nowhere better to send them."""

from __future__ import annotations

import base64
import hashlib
from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

_HERE = Path(__file__).parent / "templates"
_ENVIRONMENT = Environment(loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined)
_STYLE = (_HERE / "page.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

#: Nothing but the page's own style runs or loads, nobody frames it, and its address is told to nobody.
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def page(
    title: str,
    said: str,
    *,
    status: int = HTTPStatus.OK,
    link: tuple[str, str] | None = None,
    again_seconds: int | None = None,
) -> Response:
    """A page with one thing to say; `link` is an address of ours and its text, `again_seconds` loads the page anew."""
    text = _ENVIRONMENT.get_template("page.html").render(
        title=title, said=said, link=link, again_seconds=again_seconds, style=_STYLE
    )
    return HTMLResponse(text, status, HEADERS)


def send_on(url: str) -> Response:
    """Redirect to an address of which no part came from a visitor unchecked."""
    return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": url, **HEADERS})
