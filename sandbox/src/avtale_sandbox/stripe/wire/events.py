"""Events and webhook endpoints on the wire."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import msgspec

from ..resources import Event, WebhookEndpoint
from .shapes import API_VERSION, shaped


@cache
def event_types() -> frozenset[str]:
    """Every type of event that Stripe has, whether the sandbox tells of it or not (event_types.txt)."""
    return frozenset(resources.files(__package__).joinpath("event_types.txt").read_text().split())


def event(row: Event, connected: bool) -> dict[str, Any]:
    """Something that happened.

    `account` is there only when it is a connected one, `previous_attributes` only when something was changed.
    """
    data: dict[str, Any] = {"object": msgspec.json.decode(row.object)}
    if row.previous is not None:
        data["previous_attributes"] = msgspec.json.decode(row.previous)
    spelled = shaped(
        "event",
        id=row.id,
        created=row.created,
        api_version=API_VERSION,
        data=data,
        pending_webhooks=len(row.pending),
        request={"id": row.request, "idempotency_key": row.idempotency_key},
        type=row.type,
    )
    return spelled | {"account": row.account} if connected else spelled


def endpoint(row: WebhookEndpoint, with_secret: bool = False) -> dict[str, Any]:
    """Where to tell of events; the secret is told once, when it is made."""
    spelled = shaped(
        "webhook_endpoint",
        id=row.id,
        created=row.created,
        api_version=API_VERSION,
        description=row.description,
        enabled_events=row.enabled_events,
        metadata=row.metadata,
        status="enabled" if row.is_enabled else "disabled",
        url=row.url,
    )
    return spelled | {"secret": row.secret} if with_secret else spelled
