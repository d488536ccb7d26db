"""Who wants to be told of which events, how what is told is signed, and when it is told again."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..clock import wall_now
from ..ids import Ids
from ..instants import DAY, HOUR, MINUTE
from ..store import Store
from ..vipps.webhooks.deliveries import Rhythm
from ..vipps.webhooks.signing import target_of
from .accounts import Accounts
from .params import merged
from .refusals import invalid
from .resources import WebhookEndpoint
from .shelf import Shelf
from .wire.events import event_types

if TYPE_CHECKING:
    from yarl import URL

ENDPOINTS_MAX = 16
_DELAYS = (5 * MINUTE, 15 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR)


def retry_delay(attempts: int) -> int:
    """How long to wait after this many attempts have failed, in milliseconds; Stripe does not publish its own."""
    return _DELAYS[min(attempts, len(_DELAYS)) - 1]


# Three days in live mode; events that wait do not hold up others (Stripe, webhook delivery).
RHYTHM = Rhythm(retry_delay, 3 * DAY, "three days", steps_aside=True)


def signed_headers(secret: str, target: URL, body: bytes, at: int | None = None) -> dict[str, str]:
    """The headers of one delivery; `at` is wall time in seconds, now if not given."""
    at = wall_now() // 1000 if at is None else at
    signature = hmac.digest(secret.encode(), b"%d.%b" % (at, body), "sha256").hex()
    return {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": f"t={at},v1={signature}",
        "User-Agent": "Stripe/1.0 (avtale-sandbox)",
    }


class Endpoints:
    """All webhook endpoints."""

    def __init__(self, store: Store, ids: Ids, accounts: Accounts) -> None:
        self.shelf = Shelf(store, ids, "webhook endpoint", WebhookEndpoint)
        self._ids = ids
        self._accounts = accounts

    def load(self) -> None:
        """Build the look-ups from the store."""
        self.shelf.load()

    def __len__(self) -> int:
        return len(self.shelf)

    def get(self, endpoint_id: str, /) -> WebhookEndpoint | None:
        """The endpoint with this id, unless it is gone or disabled."""
        found = self.shelf.find(endpoint_id)
        return found if found is not None and found.is_enabled else None

    def wanting(self, account: str, event: str, /) -> Sequence[str]:
        """The account's own endpoints, and its platform's for connected accounts."""
        platform = self._accounts.at(account).platform
        own = [one for one in self.shelf.of(account) if not one.connect]
        above = [] if platform is None else [one for one in self.shelf.of(platform) if one.connect]
        return [
            one.id
            for one in (*own, *above)
            if one.is_enabled and ("*" in one.enabled_events or event in one.enabled_events)
        ]

    def answered(self, endpoint_id: str, well: bool, at: int, /) -> None:
        """Nothing follows: endpoints in test mode are never disabled."""

    def add(self, account: str, created: int, params: dict[str, Any]) -> WebhookEndpoint:
        """Make an endpoint; raises Refused."""
        if len(self.shelf.of(account)) >= ENDPOINTS_MAX:
            raise invalid(f"You have reached the maximum of {ENDPOINTS_MAX} test webhook endpoints.")
        number = self._ids.next_number()
        endpoint = WebhookEndpoint(
            id=f"we_{self._ids.letters('we', number, 24)}",
            number=number,
            account=account,
            created=created,
            url=_address(params["url"]),
            secret=f"whsec_{self._ids.letters('whsec', number, 32)}",
            enabled_events=_wanted(params["enabled_events"]),
            description=params.get("description") or None,
            connect=params.get("connect", False),
            metadata=merged({}, params.get("metadata")),
        )
        self.shelf.put(endpoint)
        return endpoint

    def change(self, endpoint: WebhookEndpoint, params: dict[str, Any]) -> WebhookEndpoint:
        """Change an endpoint; raises Refused."""
        if "url" in params:
            endpoint.url = _address(params["url"])
        if "enabled_events" in params:
            endpoint.enabled_events = _wanted(params["enabled_events"])
        if "disabled" in params:
            endpoint.is_enabled = not params["disabled"]
        if "description" in params:
            endpoint.description = params["description"] or None
        endpoint.metadata = merged(endpoint.metadata, params.get("metadata"))
        self.shelf.put(endpoint)
        return endpoint


def _wanted(events: list[str]) -> list[str]:
    for place, event in enumerate(events):
        if event != "*" and event not in event_types():
            raise invalid(f"Invalid enabled_events: there is no event {event}.", param=f"enabled_events[{place}]")
    return events


def _address(url: str) -> str:
    try:
        target_of(url)
    except ValueError as problem:
        raise invalid(f"Invalid URL: {problem}", param="url", code="url_invalid") from None
    return url
