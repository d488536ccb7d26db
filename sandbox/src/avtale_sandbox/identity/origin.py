"""Names this server as the one who asked it named it."""

from __future__ import annotations

import re

from starlette.requests import HTTPConnection

_AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?\Z")


def authority(request: HTTPConnection) -> str:
    """Give host and port of the request; the socket's address replaces a Host header that cannot be one."""
    named = request.headers.get("host", "")
    if len(named) <= 300 and _AUTHORITY.match(named):
        return named
    host, port = request.scope.get("server") or ("127.0.0.1", None)
    return f"{host}:{port}" if port else str(host)


def origin(request: HTTPConnection) -> str:
    """Give scheme, host and port of the request: "http://127.0.0.1:8400"."""
    return f"{request.scope.get('scheme', 'http')}://{authority(request)}"


def port(request: HTTPConnection) -> str:
    """Give the port that the request named, or "" for the scheme's own."""
    match = _AUTHORITY.match(authority(request))
    return (match[2] or "").removeprefix(":") if match else ""
