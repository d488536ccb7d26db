"""Calls of the SDK for one account, and what comes back of them in our words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import stripe

from avtale.domain.outcome import CREDENTIALS_REFUSED, Answered, Outcome, Refused, Throttled, Unknown
from avtale.gateways.outbound import Outbound
from avtale.gateways.stripe.credentials import StripeCredentials
from avtale.gateways.stripe.transport import NotAnswered, Transport

T = TypeVar("T")

#: The version whose shapes writing.py and reading.py know; the SDK is pinned to the one that speaks it.
API_VERSION = "2026-10-28.endive"
RETRY_AFTER_SECONDS_DEFAULT = 1.0
RETRY_AFTER_SECONDS_MAX = 3600.0
DETAIL_CHARACTERS_MAX = 500

Json = dict[str, Any]


class Told(Protocol):
    """An object of the SDK: all we want of it is what it holds."""

    def to_dict(self) -> Json: ...


class StripeCalls:
    """One account's client."""

    def __init__(self, credentials: StripeCredentials, outbound: Outbound) -> None:
        self.credentials = credentials
        self.client = stripe.StripeClient(
            credentials.secret_key,
            stripe_account=credentials.account_id if credentials.connected else None,
            stripe_version=API_VERSION,
            base_addresses={"api": credentials.base_url.rstrip("/")},
            http_client=Transport(outbound, credentials.call_seconds_max),
            max_network_retries=0,
        )

    async def read(self, read: Callable[[Json], T], *path: str, **params: object) -> Outcome[T]:
        """Read what is asked for again and again: `read(…, "invoices", "in_1", expand=["payments"])`.

        The SDK makes the call, but not an object of its own for each thing in the answer: that takes it longer than
        the call.
        """
        client: Any = self.client
        named = "/".join(quote(part, safe="") for part in path)
        return await outcome_of(_plain(client.raw_request_async("get", f"/v1/{named}", **params)), read)

    @property
    def v1(self) -> Any:
        """The operations. Parameters are what we have written down, so that no annotation could check them."""
        return self.client.v1


@dataclass(frozen=True, slots=True)
class _Plain:
    """An answer as it came."""

    data: Json

    def to_dict(self) -> Json:
        return self.data


async def _plain(answer: Awaitable[Any]) -> _Plain:
    return _Plain((await answer).data)


async def outcome_of(call: Awaitable[Told], read: Callable[[Json], T]) -> Outcome[T]:
    """Make a call, and read its answer; what cannot be read proves nothing.

    402, 400, 404 and their like are a definite no; 429 a wait; a timeout, a 5xx and a conflict with the same call
    under way leave us not knowing.
    """
    try:
        answer = await call
    except stripe.StripeError as error:
        return _failed(error)
    try:
        return Answered(read(answer.to_dict()))
    except (KeyError, TypeError, ValueError) as error:
        return Unknown(f"an answer of Stripe that we cannot read: {type(error).__name__} {error}")


def kept(outcome: Outcome[T]) -> Outcome[T]:
    """A key that is refused is about us, not about the order: a written call outlives a key that is being rolled."""
    if isinstance(outcome, Refused) and outcome.code == CREDENTIALS_REFUSED:
        return Unknown(f"our key was refused: {outcome.detail}", sent=False)
    return outcome


#: The code of a call whose first sending ended in a fault of Stripe's, which it repeats for as long as the key lives.
REPLAYED_FAULT = "replayed-fault"


def _failed(error: stripe.StripeError) -> Refused | Throttled | Unknown:
    status = error.http_status
    if isinstance(error, NotAnswered):
        return Unknown(error.reason, sent=error.sent)
    if status is None:
        return Unknown(f"Stripe's answer is none that we know ({type(error).__name__})")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(_retry_after(dict(error.headers or {}).get("retry-after")))
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return Refused(status, CREDENTIALS_REFUSED, _detail(error))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and dict(error.headers or {}).get("idempotent-replayed") == "true":
        return Unknown(REPLAYED_FAULT)
    if status == HTTPStatus.CONFLICT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unknown(f"Stripe answered {status}")
    said = error.error
    decline = getattr(said, "decline_code", None) if said is not None else None
    code = decline or error.code or (said.code if said is not None else None) or (said.type if said else None)
    return Refused(status, str(code or f"http-{status}"), _detail(error))


def _detail(error: stripe.StripeError) -> str:
    return " ".join(str(error.user_message or "no reason was given").split())[:DETAIL_CHARACTERS_MAX]


def _retry_after(value: str | None) -> float:
    if value is not None and value.isascii() and value.isdigit():
        return min(float(value[:10]), RETRY_AFTER_SECONDS_MAX)
    return RETRY_AFTER_SECONDS_DEFAULT
