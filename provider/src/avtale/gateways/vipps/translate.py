"""Our words to Vipps Recurring v3 and back: pure functions, wishes to bytes and bytes to observations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from avtale.domain.agreement import Terms
from avtale.domain.campaign import Campaign, CampaignKind
from avtale.domain.charge import Totals
from avtale.domain.observations import Drafted, GatewayAgreementState, ObservedAgreement, RegisteredWebhook
from avtale.domain.settlement import GatewayChargeState, ObservedCharge
from avtale.domain.wishes import ChargeWish, DraftWish, WrittenRequest
from avtale.gateways.vipps.limits import (
    EXTERNAL_ID_LENGTH_MAX,
    MSISDN,
    RETRY_DAYS_MAX,
    URL_LENGTH_MAX,
    check_amount,
    check_terms,
    check_text,
    counted,
)
from avtale.gateways.vipps.reading import Json, minor_units, object_of, optional_instant, optional_text, text
from avtale.gateways.vipps.wording import fitted, shortened

AGREEMENTS = "/recurring/v3/agreements"
WEBHOOKS = "/webhooks/v1/webhooks"

REFUND_DESCRIPTION_LENGTH_MAX = 100

_AGREEMENT_STATES = {
    "PENDING": GatewayAgreementState.PENDING,
    "ACTIVE": GatewayAgreementState.ACTIVE,
    "STOPPED": GatewayAgreementState.STOPPED,
    "EXPIRED": GatewayAgreementState.EXPIRED,
}

_CHARGE_STATES = {
    "PENDING": GatewayChargeState.WAITING,
    "DUE": GatewayChargeState.WAITING,
    "PROCESSING": GatewayChargeState.WAITING,
    "RESERVED": GatewayChargeState.RESERVED,
    "CHARGED": GatewayChargeState.CAPTURED,
    "PARTIALLY_CAPTURED": GatewayChargeState.CAPTURED,
    "PARTIALLY_REFUNDED": GatewayChargeState.CAPTURED,
    "REFUNDED": GatewayChargeState.CAPTURED,
    "FAILED": GatewayChargeState.FAILED,
    "CANCELLED": GatewayChargeState.CANCELLED,
}


def json_bytes(said: Mapping[str, Any]) -> bytes:
    """The bytes of an object as we write it."""
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def agreement_path(gateway_agreement_id: str) -> str:
    """Where an agreement lives."""
    return f"{AGREEMENTS}/{quote(gateway_agreement_id, safe='')}"


def charge_path(gateway_agreement_id: str, order_id: str) -> str:
    """Where a charge lives: its order id is its charge id."""
    return f"{agreement_path(gateway_agreement_id)}/charges/{quote(order_id, safe='')}"


def webhook_path(webhook_id: str) -> str:
    """Where a registration lives."""
    return f"{WEBHOOKS}/{quote(webhook_id, safe='')}"


def write_draft(wish: DraftWish) -> WrittenRequest:
    """A draft with an initial charge that is captured at approval, unless its first period costs nothing.

    Raises ValueError where Vipps would refuse it.
    """
    terms = wish.terms
    check_terms(terms)
    check_text("the redirect URL", wish.redirect_url, URL_LENGTH_MAX)
    said: dict[str, Any] = {
        "pricing": _pricing(terms),
        "interval": counted(terms.interval),
        "merchantRedirectUrl": wish.redirect_url,
        "merchantAgreementUrl": terms.agreement_url,
        "productName": terms.name,
        "externalId": str(wish.draft_id),
    }
    if terms.first_price.amount:
        said["initialCharge"] = {
            "amount": terms.first_price.amount,
            "description": terms.name,
            "transactionType": "DIRECT_CAPTURE",
            "orderId": str(wish.order_id),
            "externalId": f"{wish.reference}.1",
        }
    if terms.campaign is not None:
        said["campaign"] = _campaign(terms.campaign, wish.campaign_ends_at)
    if terms.description is not None:
        said["productDescription"] = terms.description
    if wish.phone_number is not None:
        if not MSISDN.fullmatch(wish.phone_number):
            raise ValueError("a phone number is 8 to 15 digits, country code first")
        said["phoneNumber"] = wish.phone_number
    if wish.is_app:
        said["isApp"] = True
    return WrittenRequest(wish.draft_id, "POST", AGREEMENTS, json_bytes(said))


def _pricing(terms: Terms) -> dict[str, Any]:
    if terms.suggested_max is not None:
        return {"type": "VARIABLE", "suggestedMaxAmount": terms.suggested_max, "currency": terms.price.currency}
    return {"type": "LEGACY", "amount": terms.price.amount, "currency": terms.price.currency}


def _campaign(campaign: Campaign, ends_at: datetime | None) -> dict[str, Any]:
    if campaign.length is not None:
        return {"type": "PERIOD_CAMPAIGN", "price": campaign.price, "period": counted(campaign.length)}
    if ends_at is None:
        raise RuntimeError("a campaign without a length has an end")
    at = ends_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if campaign.kind is CampaignKind.EVENT:
        return {"type": "EVENT_CAMPAIGN", "price": campaign.price, "eventDate": at, "eventText": campaign.text}
    return {"type": "PRICE_CAMPAIGN", "price": campaign.price, "end": at}


def write_charge(wish: ChargeWish) -> WrittenRequest:
    """One recurring charge. Raises ValueError as `charge_said` does."""
    path = f"{agreement_path(wish.gateway_agreement_id)}/charges"
    return WrittenRequest(wish.order_id, "POST", path, json_bytes(charge_said(wish)))


def charge_said(wish: ChargeWish) -> dict[str, Any]:
    """A recurring charge, captured when it is due. Raises ValueError where Vipps would refuse it; only
    a long description is shortened instead, since a renewal must not fail for its wording."""
    if not wish.description.strip():
        raise ValueError("a charge needs a description")
    check_text("the charge's reference", wish.reference, EXTERNAL_ID_LENGTH_MAX)
    check_amount(wish.amount)
    if not 0 <= wish.retry_days <= RETRY_DAYS_MAX:
        raise ValueError(f"retry days are 0 to {RETRY_DAYS_MAX}, not {wish.retry_days}")
    return {
        "type": "RECURRING",
        "transactionType": "DIRECT_CAPTURE",
        "amount": wish.amount,
        "description": fitted(wish.description.strip()),
        "due": wish.due.isoformat(),
        "retryDays": wish.retry_days,
        "orderId": str(wish.order_id),
        "externalId": wish.reference,
    }


def write_stop(request_id: UUID, gateway_agreement_id: str) -> WrittenRequest:
    """The end of an agreement: `status` stands alone, or Vipps refuses it."""
    return WrittenRequest(request_id, "PATCH", agreement_path(gateway_agreement_id), json_bytes({"status": "STOPPED"}))


def write_cancel(request_id: UUID, gateway_agreement_id: str, order_id: str) -> WrittenRequest:
    """The end of a charge that is not captured yet."""
    return WrittenRequest(request_id, "DELETE", charge_path(gateway_agreement_id, order_id), b"")


def write_update(request_id: UUID, gateway_agreement_id: str, terms: Terms) -> WrittenRequest:
    """Other terms for a running agreement. Its kind of price can never change. Raises ValueError as for a draft."""
    check_terms(terms)
    if terms.suggested_max is not None:
        pricing = {"suggestedMaxAmount": terms.suggested_max}
    else:
        pricing = {"amount": terms.price.amount}
    said = {
        "productName": terms.name,
        "productDescription": terms.description or "",
        "merchantAgreementUrl": terms.agreement_url,
        "pricing": pricing,
        "interval": {"type": "RECURRING", "period": counted(terms.interval)},
    }
    if not terms.description:
        del said["productDescription"]
    return WrittenRequest(request_id, "PATCH", agreement_path(gateway_agreement_id), json_bytes(said))


def write_acceptance(request_id: UUID, gateway_agreement_id: str, phone_number: str) -> WrittenRequest:
    """The approval of a draft in its payer's name, which Vipps allows in its test environment alone."""
    if not MSISDN.fullmatch(phone_number):
        raise ValueError("a phone number is 8 to 15 digits, country code first")
    path = f"{agreement_path(gateway_agreement_id)}/accept"
    return WrittenRequest(request_id, "PATCH", path, json_bytes({"phoneNumber": phone_number}))


def write_refund(
    request_id: UUID, gateway_agreement_id: str, order_id: str, amount: int, reason: str
) -> WrittenRequest:
    """A refund of `amount` minor units; a reason longer than Vipps shows is shortened. Raises ValueError."""
    check_amount(amount)
    if not reason.strip():
        raise ValueError("a refund needs a reason")
    said = {"amount": amount, "description": shortened(reason.strip(), REFUND_DESCRIPTION_LENGTH_MAX)}
    path = f"{charge_path(gateway_agreement_id, order_id)}/refund"
    return WrittenRequest(request_id, "POST", path, json_bytes(said))


def write_webhook(url: str, events: tuple[str, ...]) -> bytes:
    """The body that registers a webhook."""
    return json_bytes({"url": url, "events": list(events)})


def read_drafted(body: bytes) -> Drafted:
    """The answer to a draft. Raises ValueError: without a confirmation URL nobody can approve it."""
    said = object_of(body)
    return Drafted(text(said, "agreementId"), text(said, "vippsConfirmationUrl"))


def read_created(body: bytes) -> str:
    """The charge id in the answer to a charge: the order id that was sent. Raises ValueError."""
    return text(object_of(body), "chargeId")


def read_agreement(body: bytes, gateway_agreement_id: str) -> ObservedAgreement:
    """One agreement; a rejected draft is STOPPED without a start (Vipps Recurring, agreement states)."""
    said = object_of(body)
    same("agreement", text(said, "id"), gateway_agreement_id)
    state = _AGREEMENT_STATES.get(status := text(said, "status"))
    if state is None:
        raise ValueError(f"an agreement status that we do not know: {status[:40]}")
    return ObservedAgreement(
        gateway_agreement_id=gateway_agreement_id,
        external_id=optional_text(said, "externalId"),
        state=state,
        started_at=optional_instant(said, "start"),
        stopped_at=optional_instant(said, "stop"),
        limit=_limit(said),
    )


def _limit(said: Json) -> int | None:
    """What the person lets a charge be at most; nothing is said of it while the agreement waits for approval."""
    pricing = said.get("pricing")
    if not isinstance(pricing, dict) or pricing.get("maxAmount") is None:
        return None
    return minor_units(pricing, "maxAmount")


def read_charge(body: bytes, order_id: str) -> ObservedCharge:
    """One charge with its cumulative totals. `failure_reason` may be set while tries remain (status DUE)."""
    said = object_of(body)
    same("charge", text(said, "id"), order_id)
    status = text(said, "status")
    state = _CHARGE_STATES.get(status)
    if state is None:
        raise ValueError(f"a charge status that we do not know: {status[:40]}")
    totals = _totals(said, status)
    if totals.refunded > totals.captured:
        raise ValueError(f"refunded {totals.refunded} of {totals.captured} captured")
    return ObservedCharge(order_id, state, totals, optional_text(said, "failureReason"))


def _totals(said: Json, status: str) -> Totals:
    summary = said.get("summary")
    if isinstance(summary, dict):
        return Totals(*(minor_units(summary, name) for name in ("captured", "refunded", "cancelled")))
    if summary is not None:
        raise ValueError("summary is not an object")
    match status:
        case "CHARGED":
            return Totals(captured=minor_units(said, "amount"))
        case "REFUNDED":
            return Totals(captured=minor_units(said, "amount"), refunded=minor_units(said, "amount"))
        case "CANCELLED":
            return Totals(cancelled=minor_units(said, "amount"))
        case "PARTIALLY_CAPTURED" | "PARTIALLY_REFUNDED":
            raise ValueError(f"{status} without a summary says no sum")
        case _:
            return Totals()


def same(what: str, said: str, asked: str) -> None:
    """Raises ValueError for an answer about something else."""
    if said != asked:
        raise ValueError(f"another {what} than the one we asked for")


def read_registered(body: bytes, url: str, events: tuple[str, ...]) -> RegisteredWebhook:
    """The answer to a registration: the only place where the secret is shown. Raises ValueError."""
    said = object_of(body)
    return RegisteredWebhook(text(said, "id"), url, events, text(said, "secret"))


def read_webhooks(body: bytes) -> tuple[RegisteredWebhook, ...]:
    """The list of registrations, without secrets. Raises ValueError."""
    rows = object_of(body).get("webhooks")
    if not isinstance(rows, list):
        raise ValueError("webhooks is not a list")
    return tuple(_webhook(row) for row in rows)


def _webhook(row: object) -> RegisteredWebhook:
    if not isinstance(row, dict):
        raise ValueError("a webhook is not an object")
    events = row.get("events")
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        raise ValueError("a webhook's events are not a list of names")
    return RegisteredWebhook(text(row, "id"), text(row, "url"), tuple(events), None)
