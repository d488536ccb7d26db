"""Draws a page from a template and sends it with headers that let nothing inline run and nobody frame it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit
from zlib import crc32

from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z")
# Addresses that would run code in the page that shows them, or read the visitor's files.
_NEVER_LINKED = frozenset({"javascript", "data", "vbscript", "file", "blob", "about", ""})


class Pages:
    """The templates of one room, on top of the shared layout; everything put into them is escaped."""

    def __init__(self, templates: Path, filters: Mapping[str, Callable[..., Any]] | None = None, **shared: Any) -> None:
        """Take the room's template folder, and filters and values that every one of its pages may use."""
        self._templates = templates
        self._filters = {"initials": initials, "hue": hue, "number": spoken, **(filters or {})}
        self._shared = shared

    @cached_property
    def _environment(self) -> Environment:
        # Read when the first page is asked for: most sandboxes in tests never show one.
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader([self._templates, HERE / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(self._filters)
        environment.globals.update(self._shared)
        return environment

    def answer(
        self,
        template: str,
        values: Mapping[str, Any],
        *,
        status: int = 200,
        leads_to: str | None = None,
    ) -> HTMLResponse:
        """Render a template; `leads_to` is an outside address that a form on the page ends at, if any."""
        body = self._environment.get_template(template).render(**values)
        return HTMLResponse(body, status_code=status, headers=page_headers(leads_to))


def initials(name: str) -> str:
    """Give the first letters of a name's first and last words: what stands where a picture would."""
    words = name.split()
    return "".join(word[0].upper() for word in dict.fromkeys((*words[:1], *words[-1:]))) or "·"


def hue(key: str) -> int:
    """Give one of the six colours (0 to 5), always the same for the same key."""
    return (crc32(key.encode("utf-8", "replace")) >> 8) % 6


def spoken(phone_number: str) -> str:
    """Group a phone number as its country does: "+47 912 34 567", "+45 40 11 22 33"; else in one piece."""
    country, local = phone_number[:2], phone_number[2:]
    if country == "47" and len(local) == 8:
        groups = [local[:3], local[3:5], local[5:]]
    elif country == "45" and len(local) == 8:
        groups = [local[0:2], local[2:4], local[4:6], local[6:]]
    else:
        return f"+{phone_number}"
    return "\u00a0".join([f"+{country}", *groups])


def page_headers(leads_to: str | None = None) -> dict[str, str]:
    """Say what a page may do: load from this server alone, run nothing inline, be framed and kept by nobody.

    Browsers hold a form's whole chain of redirects against `form-action`, and a shop may send its buyer on to
    another host, so any web address is allowed there, and an app's own scheme when the page leads to one.
    """
    targets = ["'self'", "http:", "https:"]
    if leads_to is not None and (scheme := _scheme(leads_to)) not in {"http", "https"} | _NEVER_LINKED:
        targets.append(f"{scheme}:")
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"form-action {' '.join(targets)}; frame-ancestors 'none'; base-uri 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # Not "no-referrer": browsers would then send "Origin: null" with our own forms.
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "Cache-Control": "no-store",
    }


def safe_link(url: str) -> str | None:
    """Give the address back if a page may link to it, and None if following it could run code."""
    return None if _scheme(url) in _NEVER_LINKED else url


def send_on(url: str) -> Response:
    """Redirect (303) to an address just as it was given; only what no header can carry is percent-encoded."""
    plain = all("!" <= letter <= "~" for letter in url)
    location = url if plain else quote(url, safe="!#$%&'()*+,/:;=?@[]~{}|\\^`\"<>")
    return Response(status_code=303, headers={"Location": location, **page_headers()})


def static_files() -> Mount:
    """Serve the stylesheet and the one small script under `static/` of the room that mounts this."""
    return Mount("/static", StaticFiles(directory=HERE / "static"))


def _scheme(url: str) -> str:
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError:
        return ""
    return scheme if _SCHEME.match(scheme) else ""
