"""What was asked, answered and told: the last exchanges and events, with secrets masked when they are shown."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ..instants import iso
from ..settings import Settings

_MASK = "***"
_SECRET_HEADERS = frozenset(
    {b"authorization", b"client_secret", b"ocp-apim-subscription-key", b"cookie", b"set-cookie"}
)
_SECRET_FIELDS = re.compile(
    rb'("(?:access_token|id_token|refresh_token|accessToken|secret|client_secret|clientSecret|subscriptionKey'
    rb'|token|password)"\s*:\s*")(?:[^"\\]|\\.)*(?:"|\\?\Z)'
)
_SECRET_PARAMETERS = re.compile(rb"\b((?:client_secret|code|code_verifier|token|access_token)=)[^&\s\"]+")

Headers = Sequence[tuple[bytes, bytes]]
# (number, wall, now, method, path, query, headers, body, operationId, status, answer, fault)
_Entry = tuple[int, int, int, str, str, bytes, Headers, bytes, str | None, int | None, bytes, str | None]
# (number, wall, now, msn, name, what it is about, body)
_Happening = tuple[int, int, int, str, str, str, bytes]


class Sought(Struct, frozen=True, kw_only=True):
    """What to look for in the record; what is not given matches everything.

    `path` is a part of the path, `status` a status such as 409, a class such as 4xx, or `none` for calls that
    got no answer, `about` an id that occurs in what was asked or answered, `text` any part of it, `since` a
    number (int) or an instant (ISO 8601).
    """

    path: str | None = None
    method: str | None = None
    operation_id: str | None = None
    status: str | None = None
    about: str | None = None
    text: str | None = None
    event: str | None = None
    faulty: bool = False
    since: int | str | None = None
    limit: int | None = None

    def is_later(self, number: int, now: str) -> bool:
        """Whether something with this number and business time is later than `since`."""
        if isinstance(self.since, int):
            return number > self.since
        return self.since is None or now >= self.since


class Record:
    """The last exchanges and events, oldest first; kept as they came, and made readable only for who asks."""

    def __init__(self, settings: Settings) -> None:
        self._entries: deque[_Entry] = deque(maxlen=settings.exchanges_kept_max)
        self._happenings: deque[_Happening] = deque(maxlen=settings.events_kept_max)
        self._body_max = settings.exchange_body_bytes_max
        self._number = 0
        self._happening_number = 0

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

    def happened(self, wall: int, now: int, msn: str, name: str, about: str, body: bytes) -> None:
        """Keep an event, whether anybody wants to be told of it or not."""
        self._happening_number += 1
        self._happenings.append((self._happening_number, wall, now, msn, name, about, body))

    def clear(self) -> None:
        """Forget them; numbers go on."""
        self._entries.clear()
        self._happenings.clear()

    def exchanges(self, sought: Sought) -> list[dict[str, Any]]:
        """The kept exchanges that match, oldest first; of more than `limit`, the newest."""
        found: list[dict[str, Any]] = []
        for entry in reversed(self._entries):
            if sought.limit is not None and len(found) >= sought.limit:
                break
            if _is_sought(entry, sought):
                shown = _readable(entry)
                if sought.is_later(shown["number"], shown["now"]) and _holds(shown, sought.text):
                    found.append(shown)
        return found[::-1]

    def exchange(self, number: int) -> dict[str, Any] | None:
        """One exchange that is still kept, or None."""
        return next((_readable(entry) for entry in self._entries if entry[0] == number), None)

    def events(self, sought: Sought) -> list[dict[str, Any]]:
        """The kept events that match, oldest first; of more than `limit`, the newest."""
        found: list[dict[str, Any]] = []
        for number, wall, now, msn, name, about, body in reversed(self._happenings):
            if sought.limit is not None and len(found) >= sought.limit:
                break
            if sought.event not in (None, "", "*", name) or not _mentions(sought.about, about, body):
                continue
            shown = {
                "number": number,
                "wallTime": iso(wall),
                "now": iso(now),
                "merchantSerialNumber": msn,
                "event": name,
                "body": msgspec.json.decode(body),
            }
            if sought.is_later(number, shown["now"]) and _holds(shown, sought.text):
                found.append(shown)
        return found[::-1]


def _is_sought(entry: _Entry, sought: Sought) -> bool:
    _, _, _, method, path, _, _, body, operation_id, status, answer, fault = entry
    return (
        (not sought.path or sought.path in path)
        and (not sought.method or sought.method.upper() == method)
        and (not sought.operation_id or sought.operation_id == operation_id)
        and (not sought.status or _is_status(status, sought.status.lower()))
        and (not sought.faulty or fault is not None)
        and _mentions(sought.about, path, body, answer)
    )


def _is_status(status: int | None, asked: str) -> bool:
    if status is None or asked == "none":
        return status is None and asked == "none"
    return asked in (str(status), f"{status // 100}xx")


def _mentions(about: str | None, text: str, *bodies: bytes) -> bool:
    if not about:
        return True
    octets = about.encode("utf-8", "replace")
    return about in text or any(octets in body for body in bodies)


def _holds(shown: dict[str, Any], text: str | None) -> bool:
    """Whether what is shown, and not what is masked, holds the text; upper and lower case are the same."""
    return not text or text.casefold() in "\n".join(map(str, shown.values())).casefold()


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
