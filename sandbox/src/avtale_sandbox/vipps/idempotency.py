"""Remembers what each idempotency key was answered, so that a repeated call has one effect and one answer."""

from __future__ import annotations

import hashlib
import re

from msgspec import Struct

from ..store import Store
from .exchange import Answer

# The published text forbids # ? / \ and allows 1 to 40 characters; the real host was seen to refuse colons
# too.
_ALLOWED = re.compile(r"[^#?/\\:]{1,40}\Z")


class Remembered(Struct, array_like=True, omit_defaults=True):
    """A call's fingerprint and its answer, or the id from which the answer can be written anew."""

    fingerprint: str
    status: int
    remembered: str | None = None
    body: str | None = None
    content_type: str | None = None


class KeyReused(Exception):
    """The key was used for another request before."""


class Idempotency:
    """The memory of all keys, for ever, apart for each scope.

    A scope is a sales unit (Vipps Recurring, idempotency); in ePayment it is one operation of a sales unit.
    """

    def __init__(self, store: Store) -> None:
        self._table = store.table("idempotency", Remembered)

    @staticmethod
    def allows(key: str | None) -> bool:
        """Whether the header is there and may be a key of Recurring."""
        return key is not None and _ALLOWED.match(key) is not None

    @staticmethod
    def fingerprint(operation_id: str, values: dict[str, str], body: bytes) -> str:
        """What makes two requests the same: operation, ids in the path, octets of the body."""
        text = "\n".join((operation_id, *values.values())).encode("utf-8", "surrogateescape") + b"\n" + body
        return hashlib.blake2b(text, digest_size=12).hexdigest()

    def recall(self, scope: str, key: str, fingerprint: str) -> Remembered | None:
        """What this request was answered before in this scope, or None; raises KeyReused."""
        found = self._table.get(f"{scope}/{key}")
        if found is not None and found.fingerprint != fingerprint:
            raise KeyReused(key)
        return found

    def remember(self, scope: str, key: str, fingerprint: str, answer: Answer) -> None:
        """Keep the answer, be it a success or a refusal: a refusal is repeated too, not tried again."""
        row = Remembered(fingerprint, answer.status, answer.remembered)
        if answer.remembered is None and answer.body:
            row.body = answer.body.decode()
            row.content_type = answer.content_type.decode()
        self._table.put(f"{scope}/{key}", row)
