"""What can come back from a call across the network: an answer, a definite no, a wait, or no answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T", covariant=True)


#: The code of a call that was refused for the tenant's keys, whatever the gateway calls it.
CREDENTIALS_REFUSED = "credentials-refused"


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """The gateway did it, or told it."""

    value: T


@dataclass(frozen=True, slots=True)
class Refused:
    """A definite no (a 4xx that is not 429): nothing happened, and the same call will not help."""

    status: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Throttled:
    """Nothing happened; the same call is welcome after `retry_after_seconds` of wall time."""

    retry_after_seconds: float


@dataclass(frozen=True, slots=True)
class Unknown:
    """A timeout, a cut connection or a 5xx after sending: it may have happened or may yet happen.

    `sent` is False only where it is certain that the call had no effect (no connection, no valid token): what
    is unknown is then only when it can be made.
    """

    reason: str
    sent: bool = True


Outcome = Answered[T] | Refused | Throttled | Unknown
