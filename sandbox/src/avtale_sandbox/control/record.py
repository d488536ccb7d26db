"""What was asked and answered: the last exchanges, with secrets masked when they are shown."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import Any

from ..instants import iso
from ..settings import Settings

_MASK = "***"
_SECRET_HEADERS = frozenset(
    {b"authorization", b"client_secret", b"ocp-apim-subscription-key", b"cookie", b"set-cookie"}
)
_SECRET_FIELDS = re.compile(
    rb'("(?:access_token|id_token|refresh_token|accessToken|secret|client_secret|clientSecret|subscriptionKey'
    rb'|token|password)"\s*:\s*")(?:[^"\\]|\\.)*"'
)
_SECRET_PARAMETERS = re.compile(rb"\b((?:client_secret|code|code_verifier|token|access_token)=)[^&\s\"]+")

Headers = Sequence[tuple[bytes, bytes]]
# (number, wall, now, method, path, query, headers, body, operationId, status, answer, fault)
_Entry = tuple[int, int, int, str, str, bytes, Headers, bytes, str | None, int | None, bytes, str | None]


class Record:
    """The last exchanges, oldest first; kept as they came, and made readable only for who asks."""

    def __init__(self, settings: Settings) -> None:
        self._entries: deque[_Entry] = deque(maxlen=settings.exchanges_kept_max)
        self._body_max = settings.exchange_body_bytes_max
        self._number = 0

    def add(
        self,
        wall: int,
        now: int,
        method: str,
        path: str,
        query: bytes,
        headers: Headers,
        body: bytes,
        operation_id: str | None,
        status: int | None,
        answer: bytes,
        fault: str | None,
    ) -> None:
        """Keep an exchange; `status` is None when no answer was sent."""
        most = self._body_max
        if len(body) > most:
            body = body[:most]
        if len(answer) > most:
            answer = answer[:most]
        self._number += 1
        self._entries.append(
            (self._number, wall, now, method, path, query, headers, body, operation_id, status, answer, fault)
        )

    def clear(self) -> None:
        """Forget them."""
        self._entries.clear()

    def exchanges(self, path: str | None, since: int | None) -> list[dict[str, Any]]:
        """The kept exchanges whose path contains `path`, with a number greater than `since`."""
        return [
            _readable(entry)
            for entry in list(self._entries)
            if (path is None or path in entry[4]) and (since is None or entry[0] > since)
        ]


def _readable(entry: _Entry) -> dict[str, Any]:
    number, wall, now, method, path, query, headers, body, operation_id, status, answer, fault = entry
    return {
        "number": number,
        "wallTime": iso(wall),
        "now": iso(now),
        "method": method,
        "path": path,
        "query": _SECRET_PARAMETERS.sub(rb"\1" + _MASK.encode(), query).decode("latin-1"),
        "headers": {
            name.decode("latin-1"): _MASK if name in _SECRET_HEADERS else value.decode("latin-1")
            for name, value in headers
        },
        "body": _masked(body),
        "operationId": operation_id,
        "status": status,
        "answer": _masked(answer),
        "fault": fault,
    }


def _masked(body: bytes) -> str:
    body = _SECRET_FIELDS.sub(rb'\1***"', body)
    return _SECRET_PARAMETERS.sub(rb"\1***", body).decode("utf-8", "replace")
