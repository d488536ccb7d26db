"""A request to one of the Vipps operations, and the answer to it, before and after HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import msgspec

from ..contracts.contract import Operation
from ..merchants import Merchant

_encode = msgspec.json.Encoder().encode

JSON = b"application/json"
PROBLEM_JSON = b"application/problem+json"


class Request:
    """What came over the wire; header names are lower case."""

    __slots__ = ("_query", "base_url", "body", "headers", "id", "method", "path", "query_string")

    def __init__(
        self,
        id: str,
        method: str,
        path: str,
        query_string: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        base_url: str,
    ) -> None:
        self.id = id
        self.method = method
        self.path = path
        self.query_string = query_string
        self.headers = headers
        self.body = body
        self.base_url = base_url
        self._query: dict[str, list[str]] | None = None

    def header(self, name: bytes) -> str | None:
        """The header's value, or None; octets that are no text stay recognisable."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def query(self, name: str) -> str | None:
        """The first value of a query parameter, or None."""
        if self._query is None:
            text = self.query_string.decode("latin-1")
            self._query = parse_qs(text, keep_blank_values=True, errors="replace") if text else {}
        found = self._query.get(name)
        return found[0] if found else None


class Call:
    """A request that has reached its operation: authenticated, its body decoded and checked."""

    __slots__ = ("body", "key", "merchant", "operation", "request", "values")

    def __init__(
        self, request: Request, operation: Operation, values: dict[str, str], merchant: Merchant, key: str
    ) -> None:
        self.request = request
        self.operation = operation
        self.values = values
        self.merchant = merchant
        self.key = key
        self.body: Any = None


class Answer:
    """Status, body and headers to send.

    `remembered` stands for the whole answer where an idempotent replay can be written anew from one id.
    """

    __slots__ = ("body", "content_type", "headers", "remembered", "status")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        content_type: bytes = JSON,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        remembered: str | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers
        self.remembered = remembered


def json_answer(
    status: int, body: Any, content_type: bytes = JSON, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, _encode(body), content_type, headers)
