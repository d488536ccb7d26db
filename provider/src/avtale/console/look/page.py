"""Draws a page from a template and sends it with headers that let nothing inline run and nobody frame it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).parent


class Pages:
    """The templates of the console; everything put into them is escaped."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader([HERE.parent / "templates", HERE / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(initials=initials, hue=hue)

    def answer(
        self, template: str, values: Mapping[str, Any], *, status: int = 200, forms_lead_to: str | None = None
    ) -> HTMLResponse:
        """Render a template; `forms_lead_to` is the origin of another server that a form on the page may end at."""
        return HTMLResponse(self.render(template, values), status_code=status, headers=page_headers(forms_lead_to))

    def render(self, template: str, values: Mapping[str, Any]) -> str:
        """A template as text."""
        return self._environment.get_template(template).render(**values)


def page_headers(forms_lead_to: str | None = None) -> dict[str, str]:
    """What a page may do: load from this server alone, run nothing inline, be framed and kept by nobody."""
    targets = "'self'" if forms_lead_to is None else f"'self' {forms_lead_to}"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action {targets}; frame-ancestors 'none'; base-uri 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # Not "no-referrer": browsers would then send "Origin: null" with our own forms.
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def send_on(url: str) -> Response:
    """Redirect (303) to an address of which no part came from a visitor unchecked."""
    return Response(status_code=303, headers={"Location": url, **page_headers()})


def static_files() -> StaticFiles:
    """The stylesheet, the script and the pictures."""
    return StaticFiles(directory=HERE / "static")


def initials(name: str) -> str:
    """The first letters of a name's first and last words: what stands where a picture would."""
    words = name.split()
    return "".join(word[0].upper() for word in dict.fromkeys((*words[:1], *words[-1:]))) or "·"


def hue(key: str) -> int:
    """One of the six colours (0 to 5), always the same for the same key."""
    return (crc32(key.encode("utf-8", "replace")) >> 8) % 6
