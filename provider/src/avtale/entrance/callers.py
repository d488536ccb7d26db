"""What signing in needs from whoever joins it: who tells tokens, and a way out to the identity provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from avtale.service.checkout import Person
from avtale.storage.tenants import Issuer


class Caller(Protocol):
    """Somebody whose token holds."""

    @property
    def person(self) -> Person: ...
    @property
    def is_admin(self) -> bool: ...


class TokenReader(Protocol):
    """Whom a bearer token is about, once its signature and claims hold. Raises Refusal."""

    async def __call__(self, issuers: Sequence[Issuer], authorization: Sequence[str], /) -> Caller: ...


class CallOut(Protocol):
    """Make one HTTP call and give status and JSON object. Raises OSError without an answer that is an object."""

    async def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, call_seconds_max: float, /
    ) -> tuple[int, dict[str, Any]]: ...
